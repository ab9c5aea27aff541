"""The composition root: settings to clients, each built on first use and kept for the life of the process.

Adapters are imported on first use too: a cold start must not wait for SDKs that the first event does not need
(``benchmarks/`` keeps an eye on it).
"""

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.admission_evaluation import AdmissionEvaluator
    from shared.clients.announcements import RunEventPublisher
    from shared.clients.azure_ml import AzureMlRegistry, AzureMlWorkspace
    from shared.clients.container_registry import ContainerRegistryClient
    from shared.clients.frozen_jobs import FrozenJobs
    from shared.clients.hub_storage import Hubs
    from shared.clients.ledger import Ledger
    from shared.clients.service_bus import TrainingResults
    from shared.clients.serving_vm import ServingVms
    from shared.job_folders import JobFolders
    from shared.pipelines import Pipelines
    from shared.run_code import RunCode
    from shared.settings import Settings
    from shared.training_driver import TrainingDriver


class Services:
    """Everything the app's functions work with. Building it reads nothing: a bad setting shows when it is needed."""

    @cached_property
    def settings(self) -> "Settings":
        """The environment, read once."""
        from shared.settings import settings

        return settings()

    @cached_property
    def pipelines(self) -> "Pipelines":
        """The pipelines that the app was deployed with, held against its settings and its training code."""
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

        return Ledger(self.settings.ledger_connection_string.get_secret_value(), self.settings.ledger_prefix)

    @cached_property
    def hubs(self) -> "Hubs":
        """The storage of every site."""
        from shared.clients.hub_storage import Hubs

        return Hubs(self.settings.site)

    @property
    def accounts(self) -> Mapping[str, str]:
        """Site -> name of its storage account."""
        return self.hubs.accounts({pipeline.data.site for pipeline in self.pipelines.all})

    @cached_property
    def driver(self) -> "TrainingDriver":
        """What trains."""
        from shared.clients.azure_ml import AzureMlDriver

        return AzureMlDriver(self._workspace, self.settings.compute, self.ledger.turns)

    @cached_property
    def model_registry(self) -> "AzureMlRegistry":
        """Where models are registered."""
        from shared.clients.azure_ml import AzureMlRegistry

        return AzureMlRegistry(self._workspace)

    @cached_property
    def job_folders(self) -> "JobFolders":
        """The training jobs that the app was deployed with."""
        from shared.job_folders import JobFolders

        return JobFolders(self.settings.app_root)

    @cached_property
    def frozen_jobs(self) -> "FrozenJobs":
        """The training jobs of admitted runs, as they were then."""
        from shared.clients.frozen_jobs import FrozenJobs

        return FrozenJobs(self.settings.ledger_connection_string.get_secret_value(), self.settings.ledger_prefix)

    @cached_property
    def run_code(self) -> "RunCode":
        """The code of a run, whatever is deployed now."""
        from shared.run_code import RunCode

        return RunCode(kept=self.frozen_jobs, deployed=self.job_folders, pipelines=self.pipelines)

    @cached_property
    def container_registry(self) -> "ContainerRegistryClient":
        """Where images are pushed to."""
        from shared.clients.container_registry import connect

        return connect(self.settings.container_registry)

    @cached_property
    def vms(self) -> "ServingVms":
        """The serving targets."""
        from shared.clients.serving_vm import ServingVms

        return ServingVms(self.settings.target)

    @cached_property
    def announcements(self) -> "RunEventPublisher":
        """Where runs are announced; without the setting, nowhere."""
        from shared.clients.announcements import RunEventPublisher

        return RunEventPublisher(self.settings.announcements)

    @cached_property
    def results(self) -> "TrainingResults":
        """Where messages of upstream systems are answered."""
        from shared.clients.service_bus import TrainingResults

        return TrainingResults(self.settings.service_bus_connection_string)

    @property
    def evaluator(self) -> "AdmissionEvaluator":
        """What decides on requests for runs: those of windows, messages and people alike."""
        from shared.admission_evaluation import AdmissionEvaluator

        return AdmissionEvaluator(
            pipelines=self.pipelines,
            jobs=self.job_folders,
            runs=self.ledger.runs,
            trainings=self.ledger.listings,
            quarantines=self.ledger.quarantines,
            champions=self.ledger.champions,
        )

    @cached_property
    def _workspace(self) -> "AzureMlWorkspace":
        from shared.clients.azure_ml import AzureMlWorkspace

        return AzureMlWorkspace(self.settings.azure_ml)
