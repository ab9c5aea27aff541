"""The context of one reconciler cycle: its services, its counts and findings, and the guard that isolates its parts."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from function_app.composition import Services
from function_app.reconciler.instances import DurableClient
from shared.decisions.reconciliation.troubles import Aspect, Finding, aspect_of, finding_of
from shared.errors import PermanentError, TransientError
from shared.messages import TroubleKind

log = logging.getLogger(__name__)

_FAILURES = frozenset({TroubleKind.UNREACHABLE, TroubleKind.REFUSED, TroubleKind.FAULT})


@dataclass(slots=True)
class CycleContext:
    """``now``: when the cycle began. ``done``: the number of actions, by a word for each kind.

    ``findings``: what was found wrong with each pipeline, by aspect; an empty list means that the aspect was checked
    and is fine. ``undecided``: the pipelines with windows without a verdict; ``had_runs``: every pipeline that ever had
    a run; both None when the ledger could not be read. ``retired``: the pipelines that train no more. ``sighted``: the
    pipelines for whose data a window was opened in this cycle, and when.
    """

    services: Services
    client: DurableClient
    now: datetime
    done: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    findings: dict[str, dict[Aspect, list[Finding]]] = field(default_factory=dict)
    undecided: set[str] | None = None
    had_runs: list[str] | None = None
    retired: frozenset[str] = frozenset()
    sighted: dict[str, datetime] = field(default_factory=dict)

    def add_findings(self, pipeline: str, aspect: Aspect, found: Iterable[Finding] = ()) -> None:
        """Add findings of this aspect to those of this cycle."""
        self.findings.setdefault(pipeline, {}).setdefault(aspect, []).extend(found)

    @contextmanager
    def scanning_data(self, pipeline: str) -> Iterator[None]:
        """Turn errors of the block into findings about the pipeline's data; each is logged once, when it is kept."""
        try:
            yield
        except Exception as error:
            found = finding_of(error)
            if found.kind is TroubleKind.FAULT:
                log.exception("could not list the data of pipeline %s; the cause:", pipeline)
            self.failed += found.kind in _FAILURES
            self.add_findings(pipeline, aspect_of(found.kind), [found])
            if found.kind is TroubleKind.UNREADABLE_NAMES:  # so the hub was reached, and the rights are there
                self.add_findings(pipeline, Aspect.DATA)
        else:
            self.add_findings(pipeline, Aspect.DATA)

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Log an error of the block with its remedy, and go on. ``what`` completes the log line: "resume run x"."""
        try:
            yield
        except PermanentError as error:  # its text names the remedy
            self.failed += 1
            log.error("could not %s: %s", what, error.reason)
        except TransientError as error:
            self.failed += 1
            log.warning("could not %s: %s; the next cycle tries again", what, error)
        except Exception:
            self.failed += 1
            log.exception("could not %s; the next cycle tries again; the cause:", what)

    @property
    def summary(self) -> str:
        """The counts of this cycle, on one line."""
        done = ", ".join(f"{what}: {count}" for what, count in sorted(self.done.items())) or "nothing to do"
        return done + (f"; failed: {self.failed}, see the lines above and GET /api/pipelines" if self.failed else "")
