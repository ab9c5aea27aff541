"""What a trial asks of the job, and what it lets it do: the order that the app would write, and a policy."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cli.trial.local_image import HOST
from shared.decisions.admission.run_plan import workload_of
from shared.errors import Code, PermanentError
from shared.messages import Parameters, Snapshot, TrainingOrder
from shared.pipelines import Pipeline
from shared.wire_contracts.job_order import order_text
from site_agent.job.order import Order, parse_order
from site_agent.job.policy import Leaves, Limits, PipelineRule, Policy, load_policy

HERE = "the defaults of a site"


def order_of(pipeline: Pipeline, *, run_id: str, image: str, parameters: Parameters) -> Order:
    """The order that starts the pipeline's training, as the job reads it."""
    workload = workload_of(pipeline)
    snapshot = Snapshot(
        site=pipeline.data.site, container=pipeline.data.container, manifest="trial", digest="", blobs=0, size=0
    )
    training = TrainingOrder(
        run_id=run_id,
        pipeline=pipeline.name,
        compute=pipeline.train.compute,
        snapshot=snapshot,
        parameters=parameters,
        fingerprint="",
        judged_metric=pipeline.judge.metric,
        leave_out_faulty=pipeline.data.leaves_out_faulty,
    )
    seconds = max(1, int(pipeline.train.running_limit_seconds))
    return parse_order(order_text(training, workload, image=image, seconds=seconds))


def policy_of(order: Order, file: Path | None) -> Policy:
    """The policy of a file, which a site would have; without one, a site's defaults, which allow what is asked.

    Images come from this machine's own podman either way.
    """
    if file is not None:
        return replace(load_policy(file), registries=(HOST,))
    asked, usual = order.resources, Limits()
    limits = replace(
        usual,
        memory=max(usual.memory, asked.memory),
        cpus=max(usual.cpus, asked.cpus),
        gpus=max(usual.gpus, asked.gpus),
        disk=max(usual.disk, asked.disk),
        seconds=max(usual.seconds, order.seconds),
    )
    rule = PipelineRule(
        name=order.pipeline,
        site=order.site,
        containers=(order.container,),
        prefixes=("",),
        pickles="allowed" if order.model_format == "pickle" else "refused",
    )
    return Policy(
        file=HERE, sha256="", registries=(HOST,), pipelines={order.pipeline: rule}, limits=limits, leaves=Leaves()
    )


def chosen_parameters(pipeline: Pipeline, given: Mapping[str, object]) -> Parameters:
    """The pipeline's parameters with those of the command line; raises :class:`PermanentError` for an unknown one."""
    unknown = sorted(given.keys() - pipeline.train.parameters.keys())
    if unknown:
        known = ", ".join(sorted(pipeline.train.parameters)) or "none"
        reason = f"--parameter {unknown[0]}: {pipeline.name}.yaml has no such parameter; it has: {known}"
        raise PermanentError(reason, code=Code.BAD_REQUEST)
    for name, value in given.items():
        if not isinstance(value, str | int | float | bool):
            reason = f"--parameter {name}: must be a text, a number, true or false"
            raise PermanentError(reason, code=Code.BAD_REQUEST)
    return {**pipeline.train.parameters, **given}  # type: ignore[dict-item]  # checked above
