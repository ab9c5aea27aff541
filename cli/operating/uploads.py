"""The course of ``edgetrain upload``: what there is to do, the question, the upload, and what becomes of it."""

import os
from collections.abc import Sequence
from pathlib import Path

from cli.client import WrongUseError
from cli.client.answers import Data
from cli.operating.blocks import Line
from cli.operating.following import follow_blob
from cli.operating.looking import next_of
from cli.operating.pipeline_views import why_blocks
from cli.operating.session import Session
from cli.operating.uploading import Storage, Upload, credential_for, data_of, planned, same_content
from cli.operating.words import SUCCESSES, size
from shared.values.texts import counted

_FINE = frozenset({"trained", "duplicate", "unchanged"})
_SHOWN = 5


def upload_files(
    session: Session, pipeline: str, paths: Sequence[Path], holdout: Path | None, *, yes: bool, wait: bool
) -> bool:
    """Upload files for a pipeline; whether what was waited for ended well."""
    view = session.app.pipeline(pipeline).view
    uploads = planned(view, paths, holdout)
    data = data_of(view)
    local = session.local_stack()
    storage = Storage(credential_for(data.site, os.environ, local), data.container)
    try:
        there = storage.there(uploads)
        new = [each for each in uploads if not (each.blob in there and same_content(each, there[each.blob]))]
        session.screen.confirm(_what_uploading_does(data, uploads, new, there), yes=yes)
        storage.create()
        for each in new:
            storage.put(each)
            session.screen.say(f"uploaded {each.blob} ({size(each.size)})")
    finally:
        storage.close()
    if wait:
        return _follow(session, pipeline, data, uploads)
    document = {
        "pipeline": pipeline,
        "container": data.container,
        "uploaded": [each.blob for each in new],
        "unchanged": [each.blob for each in uploads if each not in new],
    }
    session.screen.show(document, [Line(_done(new))])
    session.screen.hint(f"edgetrain why {pipeline} {uploads[-1].blob}")
    return True


def _done(new: list[Upload]) -> str:
    if not new:
        return "nothing was uploaded: everything is there already"
    return f"{counted(len(new), 'file')} uploaded; the app looks within two minutes"


def _what_uploading_does(data: Data, uploads: list[Upload], new: list[Upload], there: dict[str, str]) -> str:
    replaced = [each.blob for each in new if each.blob in there]
    ignored = [each.blob for each in new if not each.trained]
    amount = f"{counted(len(new), 'file')}, {size(sum(each.size for each in new))}"
    said = [f"This writes {amount}, into container {data.container} at site {data.site}"]
    said += [f"it replaces {_some(replaced)}"] if replaced else []
    said += (
        [f"{counted(len(uploads) - len(new), 'file')} there already with the same content"] if uploads != new else []
    )
    said += [f"not trained on, because data.pattern is {data.pattern}: {_some(ignored)}"] if ignored else []
    return "; ".join(said) + "."


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _follow(session: Session, pipeline: str, data: Data, uploads: list[Upload]) -> bool:
    blobs = [each.blob for each in uploads if each.trained and each.blob != data.holdout]
    if not blobs:
        raise WrongUseError("no file to train on was uploaded, so there is nothing to wait for")
    session.goes_on = f"edgetrain why {pipeline} {blobs[-1]}"
    reply = follow_blob(session.app, pipeline, blobs[-1], session.screen.say)
    session.screen.show(reply.document, why_blocks(reply.view))
    run = reply.view.run
    session.screen.hint(*(next_of(run) if run is not None else []))
    return reply.view.verdict in _FINE and (run is None or run.outcome in SUCCESSES)
