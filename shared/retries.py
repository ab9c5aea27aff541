"""Retry policies by name: number of attempts, interval, and so the longest total time.

Azure ML's SDK retries inside each call and can block for minutes on a failing service, so its policies are short. The
Durable SDK offers a fixed interval only.
"""

from dataclasses import dataclass
from datetime import timedelta

import azure.durable_functions as df


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``attempts`` tries in all, ``interval`` apart."""

    interval: timedelta
    attempts: int

    def options(self) -> df.RetryOptions:
        """The SDK's form of the policy."""
        return df.RetryOptions(int(self.interval / timedelta(milliseconds=1)), self.attempts)


LEDGER = RetryPolicy(timedelta(seconds=5), attempts=12)  # tables and blobs: rides out a minute
PREFLIGHT = RetryPolicy(timedelta(seconds=5), attempts=2)  # what it cannot find out does not stop a run
AZURE_ML = RetryPolicy(timedelta(seconds=15), attempts=6)  # the SDK adds 0.5 to 4 minutes of its own to each
TRAINING_START = RetryPolicy(timedelta(seconds=15), attempts=24)  # also rides out six minutes of attaching a VM
REGISTRY = RetryPolicy(timedelta(seconds=10), attempts=12)  # rides out two minutes of a registry restart
REGISTRY_BRIEFLY = RetryPolicy(timedelta(seconds=10), attempts=3)  # what is left out is listed, or made later
STACK_HUB = RetryPolicy(timedelta(seconds=15), attempts=8)  # rides out two minutes of a lost link to the VM
TARGET = RetryPolicy(timedelta(seconds=10), attempts=3)  # a roll-out has its own patience, and looks between the tries
MESSAGING = RetryPolicy(timedelta(seconds=10), attempts=12)  # answers over Service Bus: rides out two minutes
ANNOUNCEMENT = RetryPolicy(timedelta(seconds=5), attempts=3)  # announcements: a run must not wait long for Event Grid
