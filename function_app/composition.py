"""The composition root: builds clients from settings, each on first use, and keeps them for the life of the process.

Adapters are imported on first use too, so that a cold start does not wait for SDKs that the first event does not need
(measured by ``benchmarks/``).
"""

import os
import threading
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from activities.admission_evaluation import AdmissionEvaluator
    from function_app.sessions import Signatures
    from function_app.wrong_keys import WrongKeys
    from shared.access_settings import AccessSettings
    from shared.clients.announcements import RunEventPublisher
    from shared.clients.azure_ml import AzureMlRegistry, AzureMlWorkspace
    from shared.clients.container_registry import ContainerRegistryClient
    from shared.clients.event_subscriptions import EventSubscriptions
    from shared.clients.frozen_jobs import FrozenJobs
    from shared.clients.host_storage import StorageAccess
    from shared.clients.hub_storage import Hubs
    from shared.clients.identity import CheckedCredential
    from shared.clients.image_trust import ImageTrust
    from shared.clients.ledger import Ledger
    from shared.clients.secret_settings import SecretSettings
    from shared.clients.service_bus import TrainingResults
    from shared.clients.service_bus_access import BusAccess
    from shared.clients.smoke_samples import SmokeSamples
    from shared.deployment_target import DeploymentTargets
    from shared.messages import Watch
    from shared.pipelines import Pipelines
    from shared.settings import Settings
    from shared.signing.image_signatures import ImageSignatures
    from shared.signing.keys import Signer, TrustedKeys
    from shared.training_code.job_folders import JobFolders
    from shared.training_code.pinned_images import PinnedImages
    from shared.training_code.run_code import RunCode
    from shared.training_driver import TrainingDriver


_RENEWING = threading.Lock()
Made = TypeVar("Made")


class per_secrets(Generic[Made]):  # noqa: N801 - it is used as a decorator, like cached_property
    """A property that is made on first use, and anew when the secrets have changed. Those who have the old one keep it.

    What is made while the secrets change counts as made before.
    """

    def __init__(self, make: Callable[[Any], Made]) -> None:
        self._make = make
        self._name = make.__name__
        self._making = threading.RLock()
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, services: None, owner: type) -> Self: ...
    @overload
    def __get__(self, services: "Services", owner: type) -> Made: ...
    def __get__(self, services: "Services | None", owner: type) -> "Made | Self":
        if services is None:
            return self
        known: dict[str, tuple[int, Made]] = services.__dict__.setdefault("_made", {})
        with self._making:
            generation = services.generation
            found = known.get(self._name)
            if found is None or found[0] != generation:
                found = known[self._name] = (generation, self._make(services))
            return found[1]


class Services:
    """All services of the app. Creating it reads nothing: a bad setting is reported when it is first needed."""

    generation = 0
    """How often secrets were seen to have changed. What is :class:`per_secrets` is made anew then."""

    @per_secrets
    def settings(self) -> "Settings":
        """The settings: the environment, with secrets from where it says that they are."""
        from shared.settings import read_settings

        return read_settings(self._secrets.value)

    @per_secrets
    def access(self) -> "AccessSettings":
        """The settings that say who may do what; raises :class:`PermanentError` when they contradict themselves."""
        from shared.access_settings import read_access

        return read_access(self._secrets.value)

    @per_secrets
    def signatures(self) -> "Signatures | None":
        """What signs the page's sessions; None without a secret: nobody signs in with a key then, no form is taken."""
        from function_app.sessions import Signatures

        secret = self.settings.page.secret
        return Signatures(secret.get_secret_value()) if secret is not None else None

    @cached_property
    def wrong_keys(self) -> "WrongKeys":
        """The wrong keys that this process was shown at the page's door lately."""
        from function_app.wrong_keys import WrongKeys

        return WrongKeys()

    def renewed(self, since: int) -> bool:
        """Ask, after a refusal, whether secrets have changed since that generation; clients are made anew if so."""
        with _RENEWING:
            if self.generation == since and self._secrets.changed():
                self.generation += 1
            return self.generation != since

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
    def watches(self) -> "dict[str, Watch]":
        """Pipeline -> what this process remembers of the data that are expected; the ledger keeps it for others."""
        return self.ledger.expectations.all()

    @per_secrets
    def hubs(self) -> "Hubs":
        """The blob storage of every site."""
        from shared.clients.hub_storage import Hubs

        return Hubs(self.settings.site)

    @property
    def accounts(self) -> Mapping[str, str]:
        """Site -> name of its storage account."""
        return self.hubs.accounts({pipeline.data.site for pipeline in self.pipelines.all})

    @per_secrets
    def driver(self) -> "TrainingDriver":
        """The training driver."""
        from shared.clients.azure_ml import AzureMlDriver

        return AzureMlDriver(self._workspace, self.settings.compute, self.ledger.turns)

    @per_secrets
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

    @per_secrets
    def container_registry(self) -> "ContainerRegistryClient":
        """The container registry that images are pushed to."""
        from shared.clients.container_registry import connect

        return connect(self.settings.container_registry, self._identity)

    def own_registry(self, timeout: tuple[float, float]) -> "ContainerRegistryClient":
        """A client of the registry for somebody who waits no longer than that, and closes it."""
        from shared.clients.container_registry import connect

        return connect(self.settings.container_registry, self._identity, timeout=timeout)

    @per_secrets
    def dependency_images(self) -> "PinnedImages":
        """The images that runs train in and models are put on, as they were pinned."""
        from shared.training_code.pinned_images import PinnedImages

        return PinnedImages(self.container_registry, self.ledger.image_pins, self.image_trust.require_dependency)

    @per_secrets
    def image_trust(self) -> "ImageTrust":
        """Decides which images may be run."""
        from shared.clients.image_trust import ImageTrust

        return ImageTrust(self.container_registry, self.trusted_keys)

    @per_secrets
    def trusted_keys(self) -> "TrustedKeys":
        """The keys whose signatures count."""
        from shared.clients.signers import trusted_keys

        return trusted_keys(self.settings.signing)

    @per_secrets
    def signer(self) -> "Signer":
        """Signs with the key of the settings."""
        from shared.clients.signers import connect

        return connect(self.settings.signing, self._identity)

    @per_secrets
    def image_signatures(self) -> "ImageSignatures":
        """Signs images with the key of the settings."""
        from shared.signing.image_signatures import ImageSignatures

        return ImageSignatures(self.container_registry, self.signer, self.trusted_keys)

    @per_secrets
    def targets(self) -> "DeploymentTargets":
        """Everything that serves, by name."""
        from shared.clients.serving_targets import ServingTargets, TargetServices

        services = TargetServices(trusted=self.trusted, smoke_sample=self.smoke_samples, identity=self._identity)
        return ServingTargets(self.settings.target, services)

    def trusted(self, image: str) -> None:
        """Refuse an image that nobody signed whose key is trusted."""
        self.image_trust.require(image)

    @per_secrets
    def smoke_samples(self) -> "SmokeSamples":
        """The smoke samples inside images of the registry."""
        from shared.clients.smoke_samples import SmokeSamples

        return SmokeSamples(self.container_registry)

    @per_secrets
    def announcements(self) -> "RunEventPublisher":
        """The Event Grid topic of announcements; without the setting, nothing is published."""
        from shared.clients.announcements import RunEventPublisher

        return RunEventPublisher(self.settings.announcements, self._identity)

    @per_secrets
    def event_subscriptions(self) -> "EventSubscriptions":
        """Reads the subscriptions of Event Grid topics."""
        from shared.clients.event_subscriptions import EventSubscriptions

        return EventSubscriptions(self.settings.azure_ml, self._identity)

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
    def _secrets(self) -> "SecretSettings":
        from shared.clients.secret_settings import SecretSettings

        # Which identity cannot be asked of the settings here: they are being read.
        return SecretSettings(lambda: self._identities(os.environ.get("AZURE_CLIENT_ID", "")))

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

    @per_secrets
    def _workspace(self) -> "AzureMlWorkspace":
        from shared.clients.azure_ml import AzureMlWorkspace

        return AzureMlWorkspace(self.settings.azure_ml, self._identity)


class SignedIn(Services):
    """The same for programs that people run: by who signed in, where the settings have no key."""

    @cached_property
    def _identities(self) -> "Callable[[str], CheckedCredential]":
        from shared.clients.identity import signed_in

        return cache(signed_in)
