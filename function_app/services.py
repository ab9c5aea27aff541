"""The composition root: settings to clients, each built on first use and kept for the life of the process."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from shared.clients.azure_ml import AzureMlDriver, AzureMlRegistry, AzureMlWorkspace
from shared.clients.container_registry import ContainerRegistryClient, connect
from shared.clients.hub_storage import Hubs
from shared.clients.ledger import Ledger
from shared.clients.serving_vm import ServingVms
from shared.clients.training_code import TrainingCode
from shared.job_folders import JobFolders
from shared.pipelines import Pipelines
from shared.scoring_images import ScoringImages
from shared.settings import Settings, settings


class Services:
    """Everything the app's functions work with. Building it reads nothing: a bad setting shows when it is needed."""

    @cached_property
    def settings(self) -> Settings:
        """The environment, read once."""
        return settings()

    @cached_property
    def pipelines(self) -> Pipelines:
        """The pipelines that the app was deployed with."""
        return Pipelines(self.settings.app_root / "pipelines")

    @cached_property
    def ledger(self) -> Ledger:
        """The tables of the host's storage account."""
        return Ledger(self.settings.ledger_connection_string.get_secret_value(), self.settings.ledger_prefix)

    @cached_property
    def hubs(self) -> Hubs:
        """The storage of every site."""
        return Hubs(self.settings.site)

    @property
    def accounts(self) -> Mapping[str, str]:
        """Site -> name of its storage account."""
        return self.hubs.accounts({pipeline.data.site for pipeline in self.pipelines.all})

    @cached_property
    def driver(self) -> AzureMlDriver:
        """What trains."""
        return AzureMlDriver(self._workspace, self.settings.compute, self.job_folders)

    @cached_property
    def model_registry(self) -> AzureMlRegistry:
        """Where models are registered."""
        return AzureMlRegistry(self._workspace)

    @cached_property
    def job_folders(self) -> JobFolders:
        """The files and environments of training jobs."""
        return JobFolders(self.settings.app_root)

    @cached_property
    def training_code(self) -> TrainingCode:
        """What the training code amounts to, for fingerprints."""
        return TrainingCode(self.settings.app_root)

    @cached_property
    def scoring_images(self) -> ScoringImages:
        """What images are made from."""
        return ScoringImages(self.settings.app_root, self.pipelines)

    @cached_property
    def container_registry(self) -> ContainerRegistryClient:
        """Where images are pushed to."""
        return connect(self.settings.container_registry)

    @cached_property
    def vms(self) -> ServingVms:
        """The serving targets."""
        return ServingVms(self.settings.target)

    def admission(self) -> dict[str, Any]:
        """The collaborators of ``admit_run``."""
        return {
            "pipelines": self.pipelines,
            "snapshots": self.hubs,
            "code": self.training_code,
            "runs": self.ledger.runs,
        }

    @cached_property
    def _workspace(self) -> AzureMlWorkspace:
        return AzureMlWorkspace(self.settings.azure_ml)

