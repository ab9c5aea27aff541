"""How well held-out samples are told apart; ``malignant_recall`` is the share of malignant ones that were found.

python evaluate.py --model FOLDER --holdout FILE --out FOLDER
"""

from collections.abc import Sequence

import tabular
from columns import BENIGN, CLASSES, COLUMNS, MALIGNANT
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score
from sklearn.pipeline import Pipeline


def measure(model: Pipeline, features: tabular.Matrix, labels: tabular.Labels) -> tabular.Measures:
    """The loss of a sample is its log loss."""
    probabilities = model.predict_proba(features)
    predicted = model.predict(features)
    losses = tabular.log_losses(probabilities, labels, CLASSES)
    metrics = {
        "accuracy": float(accuracy_score(labels, predicted)),
        "log_loss": float(losses.mean()),
        "malignant_recall": float(recall_score(labels, predicted, pos_label=MALIGNANT)),
        "roc_auc": float(roc_auc_score(labels, probabilities[:, BENIGN])),
    }
    slices = ["malignant" if label == MALIGNANT else "benign" for label in labels]
    return tabular.Measures(metrics=metrics, losses=losses, slices=slices)


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate what the command line names."""
    tabular.evaluate(measure, COLUMNS, arguments)


if __name__ == "__main__":
    main()
