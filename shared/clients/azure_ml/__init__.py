"""Azure ML through its SDK v1, unmodified: the training driver and the model registry.

``azureml`` is imported inside functions only, on first use: it takes two seconds and 90 MB, and the app must start
without it.
"""

from shared.clients.azure_ml.driver import AzureMlDriver
from shared.clients.azure_ml.registry import AzureMlRegistry
from shared.clients.azure_ml.workspace import AzureMlWorkspace

__all__ = ["AzureMlDriver", "AzureMlRegistry", "AzureMlWorkspace"]
