"""A prediction of the model that serves, and who made it: the answer's headers name model, version and run."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cli.client import AppClient, AppRefusedError, NotReachableError, WrongUseError
from cli.client.transport import exchange, session_for
from shared.values.texts import shortened

RUN: Final = "x-edgetrain-run"
MODEL: Final = "x-edgetrain-model"
VERSION: Final = "x-edgetrain-version"
_LARGEST: Final = 3 * 512 * 1024  # bytes that a target takes of a request
_LONGEST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Scored:
    """An answer of a model. ``text``: for people; ``answer``: its JSON, or None when it is none."""

    status: int
    answer: Any
    text: str
    target: str
    endpoint: str
    run_id: str
    model: str
    version: str

    @property
    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "status": self.status,
            "answer": self.answer if self.answer is not None else self.text,
            "target": self.target,
            "endpoint": self.endpoint,
            "run_id": self.run_id or None,
            "model": self.model or None,
            "version": self.version or None,
        }


def score_file(app: AppClient, pipeline: str, file: Path, target: str, *, seconds: float) -> Scored:
    """Send a file to the model of a pipeline; raises when none serves, or the file is no request."""
    content = _content(file)
    name, endpoint = _endpoint(app, pipeline, target)
    url = f"{endpoint.rstrip('/')}/score"
    with session_for(url) as session:
        answer = exchange(
            session, "POST", url, content=content, headers={"content-type": "application/json"}, seconds=seconds
        )
    if answer.media_type == "text/html":
        reason = (
            f"{endpoint} answers with a page ({answer.status}), which is no prediction: a proxy's, or another server's"
        )
        raise NotReachableError(reason, remedy=f"edgetrain targets {pipeline}", status=answer.status)
    headers = {name: shortened(answer.headers.get(name, ""), 300) for name in (RUN, MODEL, VERSION)}
    shown = json.dumps(answer.document, ensure_ascii=True) if answer.is_json else f"({answer.media_type or 'no text'})"
    return Scored(
        status=answer.status,
        answer=answer.document,
        text=shortened(shown, _LONGEST),
        target=name,
        endpoint=endpoint,
        run_id=headers[RUN],
        model=headers[MODEL],
        version=headers[VERSION],
    )


def _content(file: Path) -> bytes:
    try:
        if file == Path("-"):
            content = sys.stdin.buffer.read(_LARGEST + 1) if sys.stdin is not None else b""
        else:
            with file.open("rb") as opened:
                content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise WrongUseError(f"{file} cannot be read: {error.strerror}") from None
    if len(content) > _LARGEST:
        raise WrongUseError(f"{file} has more than {_LARGEST} bytes, which is the most that a model takes at once")
    if not content:
        raise WrongUseError(f"{file} is empty; it must hold the request's JSON")
    return content


def _endpoint(app: AppClient, pipeline: str, target: str) -> tuple[str, str]:
    """A target that serves the pipeline's model, and where it is scored."""
    seen = {each.target: each.endpoint for each in app.targets().view.targets if each.pipeline == pipeline}
    serving = {name: endpoint for name, endpoint in seen.items() if endpoint}
    return _chosen(serving or _of_champion(app, pipeline), pipeline, target)


def _chosen(serving: Mapping[str, str], pipeline: str, target: str) -> tuple[str, str]:
    chosen = target or next(iter(serving), "any")
    if chosen not in serving:
        known = ", ".join(serving) or "none"
        raise WrongUseError(f"pipeline {pipeline} is not served on target {chosen}; served on: {known}")
    return chosen, serving[chosen]


def _of_champion(app: AppClient, pipeline: str) -> dict[str, str]:
    """What the champion's run says, for a pipeline whose targets the app has not looked at yet."""
    champion = app.pipeline(pipeline).view.champion
    if champion is None or champion.run_id is None:
        raise AppRefusedError(
            f"no model of pipeline {pipeline} serves yet", code="no_model", remedy=f"edgetrain runs {pipeline}"
        )
    return {each.target: each.endpoint for each in app.run(champion.run_id).view.targets if each.endpoint}
