"""The app's operations as methods. Each answer comes as it was sent, for ``--json``, and as what people are shown."""

import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from cli.client import answers as a
from cli.client import delivery_answers as d
from cli.client.errors import NotReachableError
from cli.client.places import Place
from cli.client.transport import SECONDS, Transport, segment

View = TypeVar("View", bound=a.Answer)
Other = TypeVar("Other", bound=a.Answer)

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Reply(Generic[View]):
    """An answer: ``document`` is its JSON as it was sent, ``view`` what is read of it."""

    view: View
    document: Any


class AppClient(AbstractContextManager["AppClient"]):
    """The app at a place. Every method raises the errors of :mod:`cli.client.errors`."""

    def __init__(self, place: Place, *, seconds: float = SECONDS) -> None:
        self.place = place
        self._transport = Transport(place, seconds=seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._transport.close()

    def runs(self, *, pipeline: str = "", outcome: str = "", since: str = "", limit: int = 20) -> Reply[a.Runs]:
        """The newest runs, up to ``limit``, from as many pages as that takes."""
        asked = {"pipeline": pipeline, "outcome": outcome, "since": since}
        query = {name: text for name, text in asked.items() if text}
        found: list[Any] = []
        token: str | None = None
        while True:
            page = {"limit": str(min(_PAGE, limit - len(found)))} | ({"continuation": token} if token else {})
            reply = self._get(a.Runs, "runs", query | page)
            found += reply.document["runs"]
            token = reply.view.continuation
            if token is None or len(found) >= limit or not reply.view.runs:
                document = {"runs": found, "continuation": token}
                return Reply(a.read(a.Runs, document, "GET /api/runs"), document)

    def run(self, run_id: str) -> Reply[a.Run]:
        """One run."""
        return self._get(a.Run, f"runs/{segment(run_id, 'run')}")

    def passport(self, model: str, version: str) -> Reply[a.Passport]:
        """The signed passport of a deployed version."""
        path = f"models/{segment(model, 'model')}/{segment(version, 'version')}/passport"
        return self._get(a.Passport, path)

    def why(self, pipeline: str, blob: str) -> Reply[a.Why]:
        """What became of a blob."""
        return self._get(a.Why, "why", {"pipeline": pipeline, "blob": blob})

    def pipelines(self) -> Reply[a.Pipelines]:
        """All pipelines."""
        return self._get(a.Pipelines, "pipelines")

    def pipeline(self, name: str) -> Reply[a.Pipeline]:
        """One pipeline, with its newest runs."""
        return self._get(a.Pipeline, f"pipelines/{segment(name, 'pipeline')}")

    def start(
        self,
        pipeline: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        force: bool = False,
        dry_run: bool = False,
        by: str = "",
        reason: str = "",
        key: str = "",
    ) -> Reply[a.Started]:
        """Ask for a run. ``key``: the same again is the same request; a new one is made when it is left out.

        When the answer is lost on the way, the request is sent once more, which its key makes safe.
        """
        body = {"parameters": dict(parameters or {}), "force": force, "dry_run": dry_run, "reason": reason}
        body |= _given(by=by)
        path = f"pipelines/{segment(pipeline, 'pipeline')}/runs"
        headers = {} if dry_run else {"idempotency-key": key or uuid.uuid4().hex}
        try:
            return self._post(a.Started, path, body, headers)
        except NotReachableError as error:
            if error.status:
                raise
            return self._post(a.Started, path, body, headers)

    def release(self, pipeline: str, *, fingerprint: str = "", by: str = "") -> Reply[a.Said]:
        """Let data that failed too often be tried again."""
        path = f"pipelines/{segment(pipeline, 'pipeline')}/release"
        return self._post(a.Said, path, _given(fingerprint=fingerprint, by=by))

    def cancel(self, run_id: str, *, by: str = "", reason: str = "") -> Reply[a.Said]:
        """End a run and undo what it made outside, or give up the further attempts after it."""
        return self._post(a.Said, f"runs/{segment(run_id, 'run')}/cancel", _given(by=by, reason=reason))

    def approve(self, run_id: str, *, target: str = "", by: str = "", reason: str = "") -> Reply[d.Decided]:
        """Let a run's model be rolled out to the targets that wait for a yes."""
        return self._post(
            d.Decided, f"runs/{segment(run_id, 'run')}/approve", _given(target=target, by=by, reason=reason)
        )

    def reject(self, run_id: str, *, target: str = "", by: str = "", reason: str) -> Reply[d.Decided]:
        """Keep a run's model from them."""
        return self._post(
            d.Decided, f"runs/{segment(run_id, 'run')}/reject", _given(target=target, by=by, reason=reason)
        )

    def resume(self, run_id: str, *, by: str = "", reason: str = "") -> Reply[d.Resumed]:
        """Go on from the stage where a run ended, without training again."""
        return self._post(d.Resumed, f"runs/{segment(run_id, 'run')}/resume", _given(by=by, reason=reason))

    def roll_back(
        self, target: str, pipeline: str, *, to: str = "", instead_of: str = "", by: str = "", reason: str
    ) -> Reply[d.Action]:
        """Have a target serve an earlier release again: that of run ``to``, or the one before.

        ``instead_of``: the run whose release serves now; refused when it does not, so that this can be repeated.
        """
        path = f"targets/{segment(target, 'target')}/pipelines/{segment(pipeline, 'pipeline')}/roll-back"
        return self._post(d.Action, path, _given(to=to, instead_of=instead_of, by=by, reason=reason))

    def retire(self, pipeline: str, *, by: str = "", reason: str) -> Reply[d.Action]:
        """Stop serving a pipeline's model everywhere, and train no more."""
        return self._post(d.Action, f"pipelines/{segment(pipeline, 'pipeline')}/retire", _given(by=by, reason=reason))

    def reinstate(self, pipeline: str, *, by: str = "", reason: str = "") -> Reply[a.Said]:
        """Let a retired pipeline train again."""
        return self._post(a.Said, f"pipelines/{segment(pipeline, 'pipeline')}/reinstate", _given(by=by, reason=reason))

    def action(self, action_id: str) -> Reply[d.Action]:
        """How a roll-back or a retirement goes."""
        return self._get(d.Action, f"actions/{segment(action_id, 'action')}")

    def targets(self) -> Reply[d.Targets]:
        """What each target should serve, and what was seen there."""
        return self._get(d.Targets, "targets")

    def doctor(self, *, site: str = "") -> Reply[d.Doctor]:
        """Every check, or those of a site."""
        return self._get(d.Doctor, "doctor", {"site": site} if site else {})

    def page_ticket(self) -> Reply[a.PageTicket]:
        """A link to the app's page that signs in once, as this key."""
        return self._post(a.PageTicket, "page/tickets", None)

    def models(self) -> Reply[d.Models]:
        """Every model, with its newest versions."""
        return self._get(d.Models, "models")

    def model(self, name: str) -> Reply[d.Model]:
        """One model."""
        return self._get(d.Model, f"models/{segment(name, 'model')}")

    def compare(self, left: str, right: str) -> Reply[d.Compared]:
        """Two runs side by side."""
        return self._get(d.Compared, "compare", {"left": left, "right": right})

    def _get(self, view: type[Other], path: str, query: Mapping[str, str] | None = None) -> Reply[Other]:
        answer = self._transport.call("GET", path, query=query)
        return Reply(a.read(view, answer.document, f"GET /api/{path}"), answer.document)

    def _post(
        self, view: type[Other], path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
    ) -> Reply[Other]:
        answer = self._transport.call("POST", path, body=body, headers=headers)
        return Reply(a.read(view, answer.document, f"POST /api/{path}"), answer.document)


def _given(**fields: str) -> dict[str, str]:
    """Those that say something: the app refuses empty ones."""
    return {name: text for name, text in fields.items() if text}
