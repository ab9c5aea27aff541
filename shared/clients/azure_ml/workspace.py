"""The workspace, opened on first use and kept: opening costs the SDK's import and four requests."""

import threading
from typing import Any

from shared.clients.azure_ml.cloud import configure_environment
from shared.clients.azure_ml.errors import translated
from shared.errors import Code, PermanentError
from shared.settings import AzureMl


class AzureMlWorkspace:
    """The configured workspace and its experiments. Safe to share among threads."""

    def __init__(self, settings: AzureMl) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._workspace: Any = None
        self._experiments: dict[str, Any] = {}

    def open(self) -> Any:
        """The SDK's ``Workspace``. A failed attempt is not remembered."""
        with self._lock:
            if self._workspace is None:
                configure_environment(self._settings)
                self._workspace = self._opened()
            return self._workspace

    def experiment(self, name: str) -> Any:
        """The SDK's ``Experiment`` of that name, made if it is new. Raises our errors only."""
        workspace = self.open()
        with self._lock:
            if name not in self._experiments:
                from azureml.core import Experiment

                with translated(f"open the experiment {name}"):
                    self._experiments[name] = Experiment(workspace, name)
            return self._experiments[name]

    def run(self, experiment: str, run_id: str) -> Any:
        """The SDK's ``Run`` as it is now; one request. Raises :class:`PermanentError` (training_unknown)."""
        known = self.experiment(experiment)  # first, because it sets the cloud before the SDK is imported
        from azureml.core.run import get_run

        absent = PermanentError(f"Azure ML has no run {run_id} in {experiment}", code=Code.TRAINING_UNKNOWN)
        with translated(f"look up run {run_id}", absent=absent):
            # clean_up=True would keep every Run object that was ever looked up, for the life of the process.
            return get_run(known, run_id, clean_up=False)

    def _opened(self) -> Any:
        from azureml.core import Workspace
        from azureml.core.authentication import ServicePrincipalAuthentication

        settings = self._settings
        with translated(f"open the workspace {settings.workspace}"):
            authentication = ServicePrincipalAuthentication(
                settings.tenant_id,
                settings.client_id,
                settings.client_secret.get_secret_value(),
                cloud=settings.cloud,
            )
            return Workspace.get(
                settings.workspace,
                auth=authentication,
                subscription_id=settings.subscription_id,
                resource_group=settings.resource_group,
            )
