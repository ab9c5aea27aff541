"""The columns of the images' tables (UCI optical recognition of handwritten digits): 8 x 8 pixels, row by row."""

import tabular

SIDE = 8
DARKEST = 16
FEATURES = tuple(f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE))
CLASSES = tuple(range(10))
COLUMNS = tabular.Columns(features=FEATURES, label="label", classes=CLASSES)
