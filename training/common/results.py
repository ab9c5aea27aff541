"""What an ``evaluate.py`` leaves: ``metrics.json`` and ``rows.csv``, from which the site compares two models.

``metrics.json`` is one flat object of finite numbers. ``rows.csv`` never leaves the site: one line per held-out row, in
the order of the hold-out, with its ``loss`` (lower is better) and, if given, the ``slice`` that it belongs to.
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path


def write(
    folder: Path, metrics: Mapping[str, float], losses: Sequence[float], slices: Sequence[str] | None = None
) -> None:
    """Write both files.

    Raises ``ValueError`` for a number that is not finite, slices of another length, and names that are not printable.
    """
    odd = [name for name, value in metrics.items() if not math.isfinite(value)]
    if odd:
        raise ValueError(f"the metric {odd[0]!r} is not a finite number")
    if not all(map(math.isfinite, losses)):
        raise ValueError("the loss of a row is not a finite number")
    if not all(map(str.isprintable, slices or ())):
        raise ValueError("the name of a slice has characters that are not printable")
    numbers = {name: float(value) for name, value in metrics.items()}
    (folder / "metrics.json").write_text(json.dumps(numbers) + "\n", encoding="utf-8")
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if slices is None:
            writer.writerow(["loss"])
            writer.writerows([repr(float(loss))] for loss in losses)
        else:
            writer.writerow(["loss", "slice"])
            writer.writerows([repr(float(loss)), part] for loss, part in zip(losses, slices, strict=True))
