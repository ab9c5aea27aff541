"""One pass of the reconciler: what it works with, what it did, and the guard that keeps its parts apart."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from function_app.services import Services
from function_app.watching.instances import DurableClient
from shared.errors import PermanentError, TransientError

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Pass:
    """``now`` is when it began. ``done`` counts what was done, by a word for each."""

    services: Services
    client: DurableClient
    now: datetime
    done: Counter[str] = field(default_factory=Counter)
    failed: int = 0

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Log what the block raises, with what can be done about it, and go on. ``what``: "adopt run x"."""
        try:
            yield
        except PermanentError as error:  # its text names the remedy
            self.failed += 1
            log.error("could not %s: %s", what, error.reason)
        except TransientError as error:
            self.failed += 1
            log.warning("could not %s: %s; the next pass tries again", what, error)
        except Exception:
            self.failed += 1
            log.exception("could not %s; the next pass tries again, and if that goes on, the cause is this:", what)

    @property
    def summary(self) -> str:
        """What was done, in one line."""
        done = ", ".join(f"{what}: {count}" for what, count in sorted(self.done.items())) or "nothing to do"
        return done + (f"; failed: {self.failed}, see the lines above" if self.failed else "")
