"""The fingerprint of a training: a digest of data, code, parameters and libraries. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from shared.decisions.training.commands import used_parameters
from shared.messages import Parameters, Workload
from shared.values.wire import to_wire

LAYOUT = "edgetrain fingerprint 2"  # part of every fingerprint: change it when the recipe changes


def fingerprint(
    *,
    data_digest: str,
    code_digest: str,
    parameters: Parameters,
    environment_locks: Iterable[str],
    leave_out_faulty: bool = False,
    workload: Workload | None = None,
) -> str:
    """SHA-256 in hex over everything that a training depends on; the same fingerprint needs no second training.

    Of the workload everything counts but the resources, with which the same model is made sooner or later.
    """
    # JSON writes 1, 1.0, true and "1" differently, as they should be: a training may tell them apart.
    settings = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    # Told apart, so that data that failed for a fault are tried again without the file that has it.
    layout = f"{LAYOUT}, without faulty files" if leave_out_faulty else LAYOUT
    locks = map(_with_plain_lines, environment_locks)
    return _digest_of([layout, data_digest, code_digest, settings, *locks, *_of_workload(workload)])


def code_digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 in hex over a job's files: names (with ``/`` between folders) and contents, in any order."""
    return _digest_of(part for name in sorted(files) for part in (name, files[name]))


def recipe_digest(
    tree: str, parameters: Parameters, *, leave_out_faulty: bool = False, workload: Workload | None = None
) -> str:
    """SHA-256 in hex of what a training depends on besides its data. ``tree``: of the job, with its locks."""
    settings = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    return _digest_of(["edgetrain recipe 1", tree, settings, str(leave_out_faulty), *_of_workload(workload)])


def evaluator_digest(
    code_digest_: str,
    environment_locks: Iterable[str],
    *,
    workload: Workload | None = None,
    parameters: Parameters | None = None,
) -> str:
    """SHA-256 in hex of what measures a model: all code of the job, its libraries, and the command with its parameters.

    Which code the command uses cannot be known from outside, so all of it counts: a change elsewhere only means that
    older numbers are measured again.
    """
    locks = map(_with_plain_lines, environment_locks)
    return _digest_of(["edgetrain evaluator 1", code_digest_, *locks, *_of_evaluation(workload, parameters or {})])


def run_id(pipeline: str, fingerprint_: str, attempt: int) -> str:
    """The id of a run; derived from its claim's fields, so that it is the same wherever it is computed."""
    return f"{pipeline}-{fingerprint_[:12]}-{attempt}"


def _of_workload(workload: Workload | None) -> list[str]:
    if workload is None:
        return []
    counts = {name: value for name, value in to_wire(workload).items() if name != "resources"}
    return [json.dumps(counts, sort_keys=True, separators=(",", ":"))]


def _of_evaluation(workload: Workload | None, parameters: Parameters) -> list[str]:
    if workload is None:
        return []
    used = {name: parameters[name] for name in used_parameters(workload.evaluate) if name in parameters}
    return [workload.evaluate, json.dumps(used, sort_keys=True, separators=(",", ":"))]


def _with_plain_lines(text: str) -> str:
    return "\n".join(text.splitlines())  # a checkout on Windows must not ask for another training


def _digest_of(parts: Iterable[str | bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        body = part.encode("utf-8") if isinstance(part, str) else part
        total.update(len(body).to_bytes(8, "big"))  # so that no two lists of parts run together to the same bytes
        total.update(body)
    return total.hexdigest()
