from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.integration.egress_guard.data import TableData, breast_cancer, diabetes, digits
from tests.support.egress import EgressRun, box_here

LOADERS: dict[str, Callable[[], TableData]] = {"breast cancer": breast_cancer, "digits": digits, "diabetes": diabetes}
MakeRun = Callable[..., EgressRun]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A run whose training data are one of the tables of scikit-learn, or a text that is given."""

    def make(table: TableData | None = None, *, text: str = "", **options: object) -> EgressRun:
        run = EgressRun(tmp_path / "run", box=box_here, **options)  # type: ignore[arg-type]
        if table is not None:
            run.table = np.column_stack([table.features, table.labels])
            text = table.as_csv()
        if text:
            (run.data / "rows.csv").write_text(text)
        return run

    return make
