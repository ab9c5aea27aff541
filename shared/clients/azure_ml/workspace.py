"""The workspace, opened on first use and kept: opening costs the SDK's import and four requests."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from azure.core.credentials import TokenCredential

from shared.clients.azure_ml.cloud import configure_environment
from shared.clients.azure_ml.errors import translated
from shared.clients.identity import managed_identity
from shared.errors import Code, PermanentError
from shared.settings import AzureMl

if TYPE_CHECKING:
    from shared.clients.azure_ml.compute import AttachedCompute


class AzureMlWorkspace:
    """The configured workspace and its experiments. Safe to share among threads."""

    def __init__(self, settings: AzureMl, identity: Callable[[str], TokenCredential] = managed_identity) -> None:
        """``identity``: makes a credential for a client id, where the settings have no client secret."""
        self._identity = identity
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

    def require_access(self) -> None:
        """One small request, so that what has been refused since it was opened shows."""
        workspace = self.open()
        with translated(f"list the computes of {self._settings.workspace}"):
            _ = workspace.compute_targets

    def attached(self, compute: str) -> "AttachedCompute | None":
        """The compute target of that name as the workspace knows it; None when it has none."""
        from shared.clients.azure_ml.compute import attached

        return attached(self.open(), compute)

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

        settings = self._settings
        with translated(f"open the workspace {settings.workspace}"):
            return Workspace.get(
                settings.workspace,
                auth=self._authentication(),
                subscription_id=settings.subscription_id,
                resource_group=settings.resource_group,
            )

    def _authentication(self) -> Any:
        """How the SDK gets its tokens. Its own class for managed identities knows App Service's older endpoint only."""
        from azureml.core.authentication import ServicePrincipalAuthentication, TokenAuthentication

        settings = self._settings
        if settings.client_secret is not None:
            secret = settings.client_secret.get_secret_value()
            return ServicePrincipalAuthentication(settings.tenant_id, settings.client_id, secret, cloud=settings.cloud)
        credential = self._identity(settings.client_id)
        return TokenAuthentication(
            lambda audience: credential.get_token(f"{audience.rstrip('/')}/.default").token, cloud=settings.cloud
        )
