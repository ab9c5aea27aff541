"""A picture as an XML parser reads it."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, fromstring

from function_app.page.charts import Chart

_SVG = "{http://www.w3.org/2000/svg}"


class Picture:
    """The elements of a chart; fails to be made when it is not well-formed."""

    def __init__(self, chart: Chart) -> None:
        self.root = fromstring(str(chart.svg))

    def all(self, tag: str | None = None) -> Iterator[Element]:
        """Every element, or those of this name."""
        return self.root.iter() if tag is None else self.root.iter(_SVG + tag)

    def of(self, kind: str) -> list[Element]:
        """The elements of this class that are drawn; signs of the legend are not counted."""
        explained = {id(each) for group in self._classed("c-legend") for each in group.iter()}
        return [each for each in self._classed(kind) if id(each) not in explained]

    def parts(self, kind: str) -> list[Element]:
        """What is in the groups of this class."""
        return [part for group in self.of(kind) for part in group]

    def legend(self) -> list[str]:
        """What the legend says."""
        return [text.text or "" for group in self._classed("c-legend") for text in group.iter(_SVG + "text")]

    def texts(self) -> list[str]:
        """What is written on it."""
        return ["".join(each.itertext()) for each in self.all("text")]

    def tips(self) -> list[str]:
        """What its parts say of themselves."""
        parents = (each for each in self.all() if each is not self.root)
        return [tip.text or "" for each in parents for tip in each.findall(_SVG + "title")]

    @property
    def title(self) -> str:
        return self.root.findtext(_SVG + "title") or ""

    @property
    def description(self) -> str:
        return self.root.findtext(_SVG + "desc") or ""

    def tags(self) -> set[str]:
        return {each.tag.removeprefix(_SVG) for each in self.all()}

    def _classed(self, kind: str) -> list[Element]:
        return [each for each in self.all() if kind in each.get("class", "").split()]
