"""Entry point of every ``job.py``: only a reason that is safe for the cloud leaves a failed training.

Only the standard library is imported here, so that a broken environment on the VM is reported like any other failure.
"""

import argparse
import contextlib
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from job_failures import JobError, OutsideError, failure_of, places
from job_output import Output, captured

FAILURE_TAG = "edgetrain.failure"  # where the app finds why a training failed
KIND_TAG = "edgetrain.failure_kind"  # and its failure kind: data, code or outside

Work = Callable[[Any, Output, argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Train with the ``train.py`` and the ``score.py`` beside this file, and end the process.

    Its output is not given back: what ends with the process, such as threads and ``atexit``, is kept from it too.
    """

    def work(run: Any, output: Output, options: argparse.Namespace) -> None:
        import job_runtime
        import score
        import train

        job_runtime.do_job(train, score, run, output, options)

    options = parsed(arguments)
    sys.exit(guarded(work, options, open_run=azure_ml_run, output=Output(options.run_id, home=Path.home())))


def run_guarded(work: Work, arguments: Sequence[str] | None, *, open_run: Callable[[], Any]) -> int:
    """The same for another function, in a process that goes on; returns the exit status."""
    options = parsed(arguments)
    with captured(options.run_id, home=Path.home()) as output:
        return guarded(work, options, open_run=open_run, output=output)


def guarded(work: Work, options: argparse.Namespace, *, open_run: Callable[[], Any], output: Output) -> int:
    """Run the work; the exit status is 0 only if it completed. Every exception is reported and caught."""
    run = None
    try:
        run = _opened(open_run)
        work(run, output, options)
        output.say("done")
        return 0
    except BaseException as error:  # noqa: BLE001 - also sys.exit(), whose text would be printed
        _tell(run, output, error)
        return 1


def _opened(open_run: Callable[[], Any]) -> Any:
    try:
        return open_run()
    except ImportError:
        raise
    except Exception as error:
        raise OutsideError(
            f"Azure ML does not know this process as one of its runs ({type(error).__name__})"
        ) from error


def azure_ml_run() -> Any:
    """The Azure ML run that this process is; an error if it is none, because offline would lose the metrics."""
    from azureml.core import Run

    return Run.get_context(allow_offline=False)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line. Unknown options are ignored: the app may be newer than this code."""
    parser = argparse.ArgumentParser(description="Train one model on one snapshot.", allow_abbrev=False)
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--site", required=True, help="names the file with the hub's credentials on this VM")
    parser.add_argument("--manifest-container", required=True)
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--container", required=True, help="where the data lies")
    parser.add_argument("--parameters", required=True, type=json.loads, help="a JSON object for train.fit")
    parser.add_argument("--judged-metric", default="", help="must be a number; others may be missing")
    parser.add_argument("--champion", default="", help="the run whose model is measured beside the new one")
    parser.add_argument("--on-bad-file", default="fail", choices=("fail", "leave_out"))
    return parser.parse_known_args(arguments)[0]


def _tell(run: Any, output: Output, error: BaseException) -> None:
    stack: list[str] = []
    with contextlib.suppress(Exception):  # of an exception that fails when it is asked
        stack = [] if isinstance(error, JobError) else places(error)
        output.note("".join(traceback.format_exception(error)))  # in full, on the VM
    failure = failure_of(error, whole_text=output.where)
    for place in stack:
        output.complain(f"  {place}")
    output.complain(f"failed: {failure.reason}")
    try:
        if run is not None:
            run.set_tags({FAILURE_TAG: failure.reason, KIND_TAG: failure.kind})
    except BaseException as trouble:  # noqa: BLE001 - reporting itself has failed
        output.complain(f"the failure could not be reported to Azure ML: {type(trouble).__name__}")
