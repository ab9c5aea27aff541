"""The columns of the measurements' tables (Wisconsin diagnostic breast cancer data)."""

import tabular

MEASUREMENTS = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
FEATURES = tuple(f"{kind}_{name}" for kind in ("mean", "error", "worst") for name in MEASUREMENTS)
MALIGNANT, BENIGN = 0, 1
CLASSES = (MALIGNANT, BENIGN)
COLUMNS = tabular.Columns(features=FEATURES, label="label", classes=CLASSES)
