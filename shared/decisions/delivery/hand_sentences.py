"""What is said to operators about what they ask for by hand. Pure."""


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
