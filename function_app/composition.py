"""The composition root: builds clients from settings, each on first use, and keeps them for the life of the process.

Adapters are imported on first use too, so that a cold start does not wait for SDKs that the first event does not need
(measured by ``benchmarks/``).
"""

import os
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from activities.admission_evaluation import AdmissionEvaluator
    from shared.clients.announcements import RunEventPublisher
    from shared.clients.azure_ml import AzureMlRegistry, AzureMlWorkspace
    from shared.clients.container_registry import ContainerRegistryClient
    from shared.clients.frozen_jobs import FrozenJobs
    from shared.clients.host_storage import StorageAccess
    from shared.clients.hub_storage import Hubs
    from shared.clients.identity import CheckedCredential
    from shared.clients.image_trust import ImageTrust
    from shared.clients.ledger import Ledger
    from shared.clients.service_bus import TrainingResults
    from shared.clients.service_bus_access import BusAccess
    from shared.clients.smoke_samples import SmokeSamples
    from shared.deployment_target import DeploymentTargets
    from shared.pipelines import Pipelines
    from shared.settings import Settings
    from shared.signing.image_signatures import ImageSignatures
    from shared.signing.keys import Signer, TrustedKeys
    from shared.training_code.job_folders import JobFolders
    from shared.training_code.pinned_images import PinnedImages
    from shared.training_code.run_code import RunCode
    from shared.training_driver import TrainingDriver


class Services:
    """All services of the app. Creating it reads nothing: a bad setting is reported when it is first needed."""

    @cached_property
    def settings(self) -> "Settings":
        """The settings, read from the environment once."""
        from shared.settings import settings

        return settings()

    @cached_property
    def pipelines(self) -> "Pipelines":
        """The deployed pipelines, checked against settings and training code."""
        from shared.host_limits import function_seconds
        from shared.pipelines import Pipelines, Surroundings, training_folders

        settings = self.settings
        around = Surroundings(
            sites=settings.sites.keys(),
            computes=settings.computes.keys(),
            targets=settings.targets.keys(),
            folders=training_folders(settings.app_root),
            function_seconds=function_seconds(settings.app_root, os.environ),
        )
        return Pipelines(settings.app_root / "pipelines", around=around)

    @cached_property
    def ledger(self) -> "Ledger":
        """The tables of the host's storage account."""
        from shared.clients.ledger import Ledger

        return Ledger(self._host_storage, self.settings.ledger_prefix)

    @cached_property
    def hubs(self) -> "Hubs":
        """The blob storage of every site."""
        from shared.clients.hub_storage import Hubs

        return Hubs(self.settings.site)

    @property
    def accounts(self) -> Mapping[str, str]:
        """Site -> name of its storage account."""
        return self.hubs.accounts({pipeline.data.site for pipeline in self.pipelines.all})

    @cached_property
    def driver(self) -> "TrainingDriver":
        """The training driver."""
        from shared.clients.azure_ml import AzureMlDriver

        return AzureMlDriver(self._workspace, self.settings.compute, self.ledger.turns)

    @cached_property
    def model_registry(self) -> "AzureMlRegistry":
        """The model registry."""
        from shared.clients.azure_ml import AzureMlRegistry

        return AzureMlRegistry(self._workspace)

    @cached_property
    def job_folders(self) -> "JobFolders":
        """The training code that the app was deployed with."""
        from shared.training_code.job_folders import JobFolders

        return JobFolders(self.settings.app_root)

    @cached_property
    def frozen_jobs(self) -> "FrozenJobs":
        """The training code of admitted runs, stored by digest."""
        from shared.clients.frozen_jobs import FrozenJobs

        return FrozenJobs(self._host_storage, self.settings.ledger_prefix)

    @cached_property
    def run_code(self) -> "RunCode":
        """Finds the code that a run was admitted with, whatever is deployed now."""
        from shared.training_code.run_code import RunCode

        return RunCode(kept=self.frozen_jobs, deployed=self.job_folders, pipelines=self.pipelines)

    @cached_property
    def container_registry(self) -> "ContainerRegistryClient":
        """The container registry that images are pushed to."""
        from shared.clients.container_registry import connect

        return connect(self.settings.container_registry, self._identity)

    def own_registry(self, timeout: tuple[float, float]) -> "ContainerRegistryClient":
        """A client of the registry for somebody who waits no longer than that, and closes it."""
        from shared.clients.container_registry import connect

        return connect(self.settings.container_registry, self._identity, timeout=timeout)

    @cached_property
    def dependency_images(self) -> "PinnedImages":
        """The images that runs train in and models are put on, as they were pinned."""
        from shared.training_code.pinned_images import PinnedImages

        return PinnedImages(self.container_registry, self.ledger.image_pins, self.image_trust.require_dependency)

    @cached_property
    def image_trust(self) -> "ImageTrust":
        """Decides which images may be run."""
        from shared.clients.image_trust import ImageTrust

        return ImageTrust(self.container_registry, self.trusted_keys)

    @cached_property
    def trusted_keys(self) -> "TrustedKeys":
        """The keys whose signatures count."""
        from shared.clients.signers import trusted_keys

        return trusted_keys(self.settings.signing)

    @cached_property
    def signer(self) -> "Signer":
        """Signs with the key of the settings."""
        from shared.clients.signers import connect

        return connect(self.settings.signing, self._identity)

    @cached_property
    def image_signatures(self) -> "ImageSignatures":
        """Signs images with the key of the settings."""
        from shared.signing.image_signatures import ImageSignatures

        return ImageSignatures(self.container_registry, self.signer, self.trusted_keys)

    @cached_property
    def targets(self) -> "DeploymentTargets":
        """Everything that serves, by name."""
        from shared.clients.serving_targets import ServingTargets, TargetServices

        services = TargetServices(trusted=self.trusted, smoke_sample=self.smoke_samples, identity=self._identity)
        return ServingTargets(self.settings.target, services)

    def trusted(self, image: str) -> None:
        """Refuse an image that nobody signed whose key is trusted."""
        self.image_trust.require(image)

    @cached_property
    def smoke_samples(self) -> "SmokeSamples":
        """The smoke samples inside images of the registry."""
        from shared.clients.smoke_samples import SmokeSamples

        return SmokeSamples(self.container_registry)

    @cached_property
    def announcements(self) -> "RunEventPublisher":
        """The Event Grid topic of announcements; without the setting, nothing is published."""
        from shared.clients.announcements import RunEventPublisher

        return RunEventPublisher(self.settings.announcements, self._identity)

    @cached_property
    def results(self) -> "TrainingResults":
        """Sends answers to upstream systems by Service Bus."""
        from shared.clients.service_bus import TrainingResults

        return TrainingResults(self.bus)

    @property
    def evaluator(self) -> "AdmissionEvaluator":
        """The admission evaluation for windows, messages and HTTP requests."""
        from activities.admission_evaluation import AdmissionEvaluator

        return AdmissionEvaluator(
            pipelines=self.pipelines,
            jobs=self.job_folders,
            runs=self.ledger.runs,
            trainings=self.ledger.listings,
            quarantines=self.ledger.quarantines,
            champions=self.ledger.champions,
            retirements=self.ledger.actions,
        )

    @cached_property
    def _identities(self) -> "Callable[[str], CheckedCredential]":
        """Client id -> the credential of that identity: one for each in this process, so that tokens are shared."""
        from shared.clients.identity import managed_identity

        return cache(managed_identity)

    def _identity(self, client_id: str = "") -> "CheckedCredential":
        """The credential of that identity; without a client id, that of ``AZURE_CLIENT_ID`` or the system's own."""
        return self._identities(client_id or self.settings.identity_client_id)

    @cached_property
    def _host_storage(self) -> "StorageAccess":
        from shared.clients.host_storage import StorageAccess

        return StorageAccess(self.settings.host_storage, self._identity)

    @property
    def bus(self) -> "BusAccess":
        """How the Service Bus namespace is reached."""
        from shared.clients.service_bus_access import BusAccess

        return BusAccess(self.settings.service_bus, self._identity)

    @property
    def workspace(self) -> "AzureMlWorkspace":
        """The Azure ML workspace."""
        return self._workspace

    @cached_property
    def _workspace(self) -> "AzureMlWorkspace":
        from shared.clients.azure_ml import AzureMlWorkspace

        return AzureMlWorkspace(self.settings.azure_ml, self._identity)
