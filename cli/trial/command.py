"""``edgetrain try``: what must be there first, then the trial, then what a person reads of it."""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from cli.dependency_image import assembled, debian_base, tar_base
from cli.layer_cache import LayerCache
from cli.terminal import progress
from cli.trial.local_image import ensure_local_image
from cli.trial.local_inputs import local_inputs
from cli.trial.orders import chosen_parameters, order_of, policy_of
from cli.trial.podman import find_podman
from cli.trial.report import lines_of
from cli.trial.trial import Trial
from cli.validation.checks import Validation
from cli.validation.findings import Level, as_lines
from shared.errors import Code, PermanentError
from shared.messages import Parameters
from shared.oci.images import Image
from shared.pipelines import Pipeline, Pipelines
from shared.training_code.job_folders import JobFolders
from shared.training_code.job_trees import JobTree
from shared.training_code.scoring_images import ScoringParts, scoring_parts
from shared.values.texts import one_line
from site_agent.job.failures import JobError

STATE = Path(".local") / "try"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the command line says. ``parameters``: texts such as ``alpha=0.5``."""

    name: str
    data: Path
    holdout: Path
    parameters: tuple[str, ...] = ()
    compare: bool = False
    policy: Path | None = None
    base_tar: Path | None = None
    cache: Path
    app_root: Path


def try_pipeline(choices: Choices) -> bool:
    """Try a pipeline, and print what comes of it; returns whether a run would succeed."""
    say = progress()
    pipeline = _valid(choices)
    podman = find_podman()
    tree = JobFolders(choices.app_root).read(pipeline.train.folder)
    parameters = chosen_parameters(pipeline, dict(map(_parameter, choices.parameters)))
    cache = LayerCache(choices.cache)

    def assemble(parts: ScoringParts) -> tuple[Image, dict[str, Path]]:
        base = tar_base(choices.base_tar, cache, say) if choices.base_tar else debian_base(cache, say)
        return assembled(parts, base, cache, say)

    image = ensure_local_image(podman, os.environ, scoring_parts(tree), assemble, say)
    try:
        return _tried(choices, pipeline, tree, podman=podman, image=image, parameters=parameters)
    except JobError as error:
        print(f"error: a run would fail: {one_line(error)}", file=sys.stderr)
        return False


def _valid(choices: Choices) -> Pipeline:
    """The pipeline; prints what is wrong, and raises :class:`PermanentError` when it could not run."""
    report = Validation(choices.app_root, {}).report(choices.name)
    found = [finding for finding in report.findings if finding.level in {Level.ERROR, Level.WARNING}]
    if found:
        for line in as_lines([replace(report, findings=found)]):
            print(line)
    if not report.valid:
        reason = f"{choices.name} would not run as it is; correct it, then try again"
        raise PermanentError(reason, code=Code.BAD_PIPELINE)
    return Pipelines(choices.app_root / "pipelines").get(choices.name)


def _parameter(text: str) -> tuple[str, object]:
    name, found, value = text.partition("=")
    try:
        if found:
            return name, yaml.safe_load(value)
    except yaml.YAMLError:
        pass
    raise PermanentError(f"--parameter {text}: write NAME=VALUE, such as alpha=0.5", code=Code.BAD_REQUEST)


def _tried(
    choices: Choices, pipeline: Pipeline, tree: JobTree, *, podman: str, image: str, parameters: Parameters
) -> bool:
    say = progress()
    order = order_of(pipeline, run_id=f"try-{pipeline.name}", image=image, parameters=parameters)
    policy = policy_of(order, choices.policy)
    if order.model_format == "pickle" and choices.policy is None:
        say("model.format is pickle: a site lets no pickle out unless its policy says so")
    state = (choices.app_root / STATE / pipeline.name).resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    trial = Trial(
        order=order,
        policy=policy,
        tree=tree,
        state=state,
        podman=podman,
        environment=dict(os.environ),
        say=say,
        show=lambda line: print(f"  | {_visible(line)}", flush=True),
    )
    outcome = trial.run(
        lambda folder: local_inputs(
            pipeline, order, data=choices.data, holdout=choices.holdout, into=folder.root, say=say
        ),
        against_last=choices.compare,
    )
    print()
    for line in lines_of(outcome, pipeline.judge):
        print(line)
    return not outcome.refused


def _visible(line: str) -> str:
    """A line of a script as a terminal may show it: indented as it is, nothing that acts on the terminal."""
    shown = line.replace("\t", "    ")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown)
