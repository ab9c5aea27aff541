"""Pipelines: the model, the file, the catalogue of a folder, and checks against each other and the settings.

Files lie in ``pipelines/<name>.yaml``; the training code in ``training/<folder>/``.
"""

from shared.pipelines.catalogue import Pipelines, training_folders
from shared.pipelines.checks import Surroundings
from shared.pipelines.columns import Column
from shared.pipelines.delivery import Deliver, Target
from shared.pipelines.expect import Expect
from shared.pipelines.files import parse_pipeline
from shared.pipelines.model import Data, Latest, Pipeline, Settle
from shared.pipelines.training import Certainty, Evaluate, Judge, Model, Queue, Resources, Train

__all__ = [
    "Certainty",
    "Column",
    "Data",
    "Deliver",
    "Evaluate",
    "Expect",
    "Judge",
    "Latest",
    "Model",
    "Pipeline",
    "Pipelines",
    "Queue",
    "Resources",
    "Settle",
    "Surroundings",
    "Target",
    "Train",
    "parse_pipeline",
    "training_folders",
]
