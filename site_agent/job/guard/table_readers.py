"""Readers of training data that need libraries of the dependency image; each is used only if its library is there."""

from collections.abc import Iterator
from typing import Any, Final

from site_agent.job.guard.data_files import DataFile
from site_agent.job.guard.samples import Reader

_BATCH: Final = 4096
_MOST_PIXELS: Final = 1 << 20


def parquet(file: DataFile) -> tuple[list[str], Iterator[list[Any]]] | None:
    """Rows of a Parquet file."""
    if file.head(4) != b"PAR1":
        return None
    try:
        import pyarrow.parquet
    except ImportError:
        return None
    opened = pyarrow.parquet.ParquetFile(file.open())
    return list(opened.schema_arrow.names), _rows_of(opened)


def _rows_of(opened: Any) -> Iterator[list[Any]]:
    for batch in opened.iter_batches(batch_size=_BATCH):
        columns = [[_plain(each) for each in column.to_pylist()] for column in batch.columns]
        yield from (list(row) for row in zip(*columns, strict=True))


def _plain(value: Any) -> Any:
    """Numbers and texts as they are, dates and the like as text."""
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def pixels(file: DataFile) -> tuple[list[str], Iterator[list[Any]]] | None:
    """A picture as one row of grey values."""
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        with file.open() as content, Image.open(content) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            values = list(image.convert("L").tobytes())
    except Exception:  # noqa: BLE001 - of a damaged picture Pillow raises whatever its decoder of that kind raises
        return None
    return [str(number) for number in range(len(values))], iter([values])


READERS: Final[tuple[Reader, ...]] = (parquet, pixels)
