"""Each activity with its collaborators, imported when the activity first runs, so that the app starts quickly."""

from datetime import UTC, datetime

from function_app.services import Services
from shared import messages as m


def read_window(window: m.ArrivalWindow, s: Services) -> m.WindowState:
    from activities.read_window import read_window as body

    return body(window, pipelines=s.pipelines, windows=s.ledger.arrivals)


def close_window(window: m.ArrivalWindow, s: Services) -> m.Done:
    from activities.close_window import close_window as body

    return body(window, windows=s.ledger.arrivals)


def admit_run(request: m.AdmissionRequest, s: Services) -> m.Admission:
    from activities.admit_run import admit_run as body

    return body(request, **s.admission())


def record_verdict(verdict: m.WindowVerdict, s: Services) -> m.Done:
    from activities.record_verdict import record_verdict as body

    return body(verdict, windows=s.ledger.arrivals)


def answer_request(answer: m.AnswerRequest, s: Services) -> m.Done:
    from activities.answer_request import answer_request as body

    return body(answer, answers=s.results, followers=s.ledger.followers, runs=s.ledger.runs)


def acquire_compute(ticket: m.ComputeTicket, s: Services) -> m.ComputeTurn:
    from activities.acquire_compute import acquire_compute as body

    slots = 1 if m.is_delivery(ticket.compute) else s.settings.compute(ticket.compute).slots
    return body(ticket, slots=slots, queues=s.ledger.computes, runs=s.ledger.runs, now=datetime.now(UTC))


def release_compute(ref: m.ComputeRef, s: Services) -> m.Done:
    from activities.release_compute import release_compute as body

    return body(ref, queues=s.ledger.computes, now=datetime.now(UTC))


def submit_training(order: m.TrainingOrder, s: Services) -> m.TrainingStatus:
    from activities.submit_training import submit_training as body

    return body(order, driver=s.driver, code=s.run_code, pipelines=s.pipelines)


def check_training(training: m.TrainingRef, s: Services) -> m.TrainingStatus:
    from activities.check_training import check_training as body

    return body(training, driver=s.driver)


def cancel_training(training: m.TrainingRef, s: Services) -> m.Done:
    from activities.cancel_training import cancel_training as body

    return body(training, driver=s.driver)


def collect_training(training: m.TrainingRef, s: Services) -> m.TrainedModel:
    from activities.collect_training import collect_training as body

    return body(training, driver=s.driver)


def read_champion(query: m.ChampionQuery, s: Services) -> m.Champion:
    from activities.read_champion import read_champion as body

    return body(query, champions=s.ledger.champions)


def register_model(command: m.RegisterModel, s: Services) -> m.RegisteredModel:
    from activities.register_model import register_model as body

    return body(command, registry=s.model_registry, pipelines=s.pipelines)


def build_image(command: m.BuildImage, s: Services) -> m.BuiltImage:
    from activities.build_image import build_image as body

    return body(command, artifacts=s.driver, code=s.run_code, registry=s.container_registry)


def start_candidate(rollout: m.Rollout, s: Services) -> m.Candidate:
    from activities.start_candidate import start_candidate as body

    return body(rollout, vms=s.vms)


def verify_candidate(step: m.CandidateStep, s: Services) -> m.Verification:
    from activities.verify_candidate import verify_candidate as body

    return body(step, vms=s.vms)


def switch_traffic(step: m.CandidateStep, s: Services) -> m.Release:
    from activities.switch_traffic import switch_traffic as body

    return body(step, vms=s.vms)


def remove_candidate(step: m.CandidateStep, s: Services) -> m.Done:
    from activities.remove_candidate import remove_candidate as body

    return body(step, vms=s.vms)


def record_run(record: m.RunRecord, s: Services) -> m.Done:
    from activities.record_run import record_run as body

    return body(record, **s.recording())


def announce(event: m.RunEvent, s: Services) -> m.Done:
    from activities.announce import announce as body

    return body(event, publisher=s.announcements, answers=s.results, followers=s.ledger.followers)
