"""What the text of a Bicep file says beyond its parsed form, in which names and texts look alike."""

import re
from collections.abc import Iterator

from infra.checks.bicep import BicepFile
from infra.checks.findings import Finding

_WORDS = frozenset({"true", "false", "null", "for", "in", "if", "existing", "string", "int", "bool", "array", "object"})
_DECLARED = re.compile(r"^\s*(?:(?:param|var|resource|module|output|metadata)\s+\w+|targetScope\b)", re.MULTILINE)
_DECORATOR = re.compile(r"^@\w+\(.*?\)\s*$", re.MULTILINE | re.DOTALL)
# Neither after a dot (a property), nor before a colon (a key) or a parenthesis (a function).
_NAME = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(?![\w(:])")
_LOOP = re.compile(r"(\bin \w+):")
_SKIPPED = re.compile(r"//[^\n]*|/\*.*?\*/|'''.*?'''", re.DOTALL)


def check(file: BicepFile) -> Iterator[Finding]:
    """Names that are nothing, and parameters and variables that nothing uses."""
    used = used_names(file.source)
    for name in sorted(used - file.names):
        yield Finding(file.name, f"{name} is the name of nothing in this file; check its spelling")
    for name in sorted((file.parameters | set(file.variables)) - used):
        yield Finding(file.name, f"nothing uses {name}; remove it")


def used_names(source: str) -> frozenset[str]:
    """The names that the expressions of a file use, also inside of texts."""
    code = _DECLARED.sub("", _DECORATOR.sub("", without_texts(source)))
    return frozenset(_NAME.findall(_LOOP.sub(r"\1 :", code))) - _WORDS


def without_texts(source: str) -> str:
    """The file without comments and texts; what is between ``${`` and ``}`` in a text is code, and stays."""
    return "".join(_Scanner(source).code())


class _Scanner:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._in_text = False
        self._depths: list[int] = []  # for each open ``${``, how many braces are open in it

    def code(self) -> Iterator[str]:
        while self._at < len(self._source):
            yield self._of_text() if self._in_text else self._of_code()

    def _of_text(self) -> str:
        here = self._source[self._at]
        if here == "\\":
            self._at += 2
        elif self._source.startswith("${", self._at):
            self._at += 2
            self._depths.append(0)
            self._in_text = False
            return " "
        else:
            self._at += 1
            self._in_text = here != "'"
        return ""

    def _of_code(self) -> str:
        if skipped := _SKIPPED.match(self._source, self._at):
            self._at = skipped.end()
            return " "
        here = self._source[self._at]
        self._at += 1
        if here == "'":
            self._in_text = True
            return "''"
        if self._depths and here in "{}":
            return self._brace(here)
        return here

    def _brace(self, here: str) -> str:
        if here == "{":
            self._depths[-1] += 1
        elif self._depths[-1]:
            self._depths[-1] -= 1
        else:
            self._depths.pop()
            self._in_text = True
            return " "
        return here
