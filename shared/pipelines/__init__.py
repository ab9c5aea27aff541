"""Pipelines: what one is (``model``), its file (``files``), and those of a folder (``catalogue``).

Files lie in ``pipelines/<name>.yaml``; the training code in ``training/<folder>/``.
"""

from shared.pipelines.catalogue import Pipelines
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
    "Target",
    "Train",
    "parse_pipeline",
]
