"""What every target should serve, and what was seen there."""

from function_app.api import delivery_models as d
from function_app.composition import Services
from shared.decisions.delivery.target_sentences import target_text
from shared.messages import TargetState


def list_targets(services: Services) -> d.TargetList:
    """Every target and pipeline that a model was delivered for, or that a pipeline's file names."""
    known = {(state.target, state.pipeline): state for state in services.ledger.targets.all()}
    for pipeline in services.pipelines.all:
        for target in pipeline.deliver.targets:
            pair = (target.name, pipeline.name)
            known.setdefault(pair, TargetState(target=target.name, pipeline=pipeline.name))
    return d.TargetList(targets=tuple(_view(known[pair]) for pair in sorted(known)))


def _view(state: TargetState) -> d.TargetView:
    seen = state.seen
    live = seen.live if seen else None
    return d.TargetView(
        target=state.target,
        pipeline=state.pipeline,
        serving=live.run_id if live else None,
        since=live.since if live else None,
        endpoint=seen.endpoint if seen else None,
        desired=state.desired.releases if state.desired else (),
        desired_by=state.desired_by,
        desired_at=state.desired_at,
        observed=seen.releases if seen else (),
        observed_at=state.seen_at,
        kept=seen.kept if seen else (),
        drift=state.drift,
        sentence=target_text(state),
    )
