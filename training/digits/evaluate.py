"""How well held-out images are read; ``macro_f1`` weighs the ten digits alike.

python evaluate.py --model FOLDER --holdout FILE --out FOLDER
"""

from collections.abc import Sequence

import tabular
from columns import CLASSES, COLUMNS
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import Pipeline


def measure(model: Pipeline, features: tabular.Matrix, labels: tabular.Labels) -> tabular.Measures:
    """The loss of an image is its log loss."""
    predicted = model.predict(features)
    losses = tabular.log_losses(model.predict_proba(features), labels, CLASSES)
    metrics = {
        "accuracy": float(accuracy_score(labels, predicted)),
        "log_loss": float(losses.mean()),
        "macro_f1": float(f1_score(labels, predicted, average="macro", labels=CLASSES)),
    }
    return tabular.Measures(metrics=metrics, losses=losses, slices=[f"digit_{label}" for label in labels])


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate what the command line names."""
    tabular.evaluate(measure, COLUMNS, arguments)


if __name__ == "__main__":
    main()
