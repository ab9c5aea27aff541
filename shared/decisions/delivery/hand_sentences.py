"""What is said to operators about what they ask for by hand. Pure."""

from shared.decisions.explanations.actors import actor_text
from shared.decisions.explanations.status_text import quarantine_status_text, utc_text
from shared.messages import Quarantine, Retirement


def being_cancelled(run_id: str) -> str:
    """A run is being cancelled."""
    return (
        f"run {run_id} is being cancelled: its targets go back to what they served before, its training is stopped, and"
        " what it made outside is removed; its record names what is left"
    )


def nothing_to_cancel(run_id: str) -> str:
    """A run has ended for good."""
    return f"run {run_id} has ended, and the app will not try it again by itself, so there is nothing to cancel"


def not_tried_again(run_id: str) -> str:
    """A run retry is given up."""
    return f"the app will not try run {run_id} again by itself"


def has_no_request(run_id: str) -> str:
    """A run from before requests were kept."""
    return f"the ledger holds no request of run {run_id}, so the app cannot know what to undo; look at what serves"


def resumed(old: str, new: str, *, begun: bool) -> str:
    """A run is resumed."""
    if begun:
        return f"run {new} goes on from where run {old} ended, with its training; nothing is trained again"
    return f"run {old} is resumed already, by run {new}; if that one has ended too, resume it instead"


def another_attempt(old: str, other: str) -> str:
    """Somebody else was quicker."""
    return f"run {other} is another attempt at the same as run {old} and came first; look at that one"


def never_trained(run_id: str) -> str:
    """There is no training to take over."""
    return f"run {run_id} never began to train, so there is nothing to go on from; start a run with force"


def not_trained(run_id: str, phase: str) -> str:
    """The training did not complete."""
    return f"the training of run {run_id} did not complete ({phase}), so there is nothing to go on from; start a run"


def is_retired(retirement: Retirement) -> str:
    """A pipeline is retired."""
    return (
        f"pipeline {retirement.pipeline} was retired at {utc_text(retirement.at)} by {actor_text(retirement.by)}"
        f" ({retirement.reason}); it has to be reinstated first"
    )


def is_quarantined(quarantine: Quarantine) -> str:
    """A fingerprint is put aside."""
    return quarantine_status_text(quarantine)
