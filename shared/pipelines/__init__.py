"""Pipelines: the model, the file, the catalogue of a folder, and checks against each other and the settings.

Files lie in ``pipelines/<name>.yaml``; the training code in ``training/<folder>/``.
"""

from shared.pipelines.catalogue import Pipelines, training_folders
from shared.pipelines.checks import Surroundings
from shared.pipelines.files import parse_pipeline
from shared.pipelines.model import Data, Deliver, Judge, Latest, Pipeline, Queue, Settle, Target, Train

__all__ = [
    "Data",
    "Deliver",
    "Judge",
    "Latest",
    "Pipeline",
    "Pipelines",
    "Queue",
    "Settle",
    "Surroundings",
    "Target",
    "Train",
    "parse_pipeline",
    "training_folders",
]
