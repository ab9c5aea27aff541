"""The trained model in ONNX Runtime, for evaluation and serving."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pictures
from numpy.typing import NDArray


def load(folder: Path) -> Any:
    """Read the model that ``train.py`` wrote; one thread, because the model is small and requests come side by side."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(folder / pictures.MODEL), options, providers=["CPUExecutionProvider"])


def probabilities(model: Any, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """One row for each picture, one column for each of ``pictures.CLASSES``."""
    (found,) = model.run(["probabilities"], {model.get_inputs()[0].name: features})
    return np.asarray(found)
