"""Retraining with Dagster: a sensor that waits until the listing is still, and a run key for each listing."""

import os
import sys
from pathlib import Path

import dagster as dg

sys.path.insert(0, str(Path(__file__).parent.parent))
from retraining import digest_of, listing, retrain


@dg.op(config_schema={"version": str})
def retrain_model(context: dg.OpExecutionContext) -> None:
    """Train on what is there now."""
    files = listing()
    metrics = retrain(files, context.op_config["version"])
    context.log.info("trained on %d files: %s", len(files), metrics)


@dg.job(executor_def=dg.in_process_executor, tags={"dagster/max_runtime": os.environ["LONGEST_RUN"]})
def retraining() -> None:
    """One step: it makes no sense to go on with half of it on another machine."""
    retrain_model()


@dg.sensor(
    job=retraining,
    minimum_interval_seconds=int(os.environ["QUIET_SECONDS"]),
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def files_have_landed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start once when two looks in a row have seen the same files; the run key keeps it from starting again."""
    files = listing()
    found = digest_of(files)
    if not files or context.cursor != found:
        context.update_cursor(found)
        return dg.SkipReason("files are still coming")
    return dg.RunRequest(run_key=found, run_config={"ops": {"retrain_model": {"config": {"version": found}}}})


definitions = dg.Definitions(jobs=[retraining], sensors=[files_have_landed])
