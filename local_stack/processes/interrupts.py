"""Ctrl-C also for a process that was started in the background."""

import signal


def heed_interrupts() -> None:
    """End on SIGINT although whoever started this process had it ignored; call it first of all.

    A shell without job control starts what goes to the background with SIGINT ignored, and so do many CI systems;
    Python then installs no handler. Nothing here may be unstoppable: ``kill -INT`` ends it and all that it started.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
