"""Benign or malignant, from thirty measurements of cell nuclei.

    python train.py --data FOLDER --model FOLDER [--inverse-regularisation C] [--most-iterations N]

The same rows in the same order give the same model.
"""

from collections.abc import Mapping, Sequence

import tabular
from columns import COLUMNS
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

DEFAULTS = {"inverse_regularisation": 0.3, "most_iterations": 1000.0}


def fit(features: tabular.Matrix, labels: tabular.Labels, parameters: Mapping[str, float]) -> Pipeline:
    """A scaled logistic regression."""
    regression = LogisticRegression(C=parameters["inverse_regularisation"], max_iter=int(parameters["most_iterations"]))
    return make_pipeline(StandardScaler(), regression).fit(features, labels)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on what the command line names."""
    tabular.train(fit, COLUMNS, DEFAULTS, arguments)


if __name__ == "__main__":
    main()
