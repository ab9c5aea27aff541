"""What people do on the page: done by the API's own functions, once, and with nothing lost of what was typed."""

import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
import pytest

from function_app.api import starts
from function_app.page.actions import ACTS
from function_app.page.screens import act as act_screen
from function_app.page.screens import doctor as doctor_screen
from function_app.page.screens import passport as passport_screen
from function_app.page.screens import why as why_screen
from function_app.page.told import telling, told
from shared.clients.ledger.actions import ActionLedger
from tests.simulation.world import World
from tests.support.memory_tables import MemoryTable
from tests.support.page_world import asked_for, fields_in, get, html_of, page_world, post

NAME = "breast-cancer"


def wait(world: World, *, minutes: int) -> None:
    for _ in range(minutes * 2):
        world.advance(timedelta(seconds=30))


@pytest.fixture
def shop(tmp_path: Any) -> Iterator[World]:
    """A pipeline without data, and one whose model waits for somebody's yes."""
    approval = {"deliver": {"approval": {"hours": 24}}}
    with page_world(tmp_path, {NAME: approval, "quiet": {}}) as world:
        yield world


@pytest.fixture
def waiting(shop: World) -> tuple[World, str]:
    """Its run waits for a decision."""
    shop.deliver([shop.upload(NAME, "landing/part-1.csv")])
    wait(shop, minutes=15)
    (run,) = shop.ledger.runs.list_runs([NAME]).items
    assert run.outcome is None
    return shop, run.run_id


def sent(world: World, action: str, subject: Mapping[str, str], **typed: str) -> func.HttpResponse:
    """The form is opened, filled in and sent."""
    return again(world, action, opened(world, action, subject) | typed)


def opened(world: World, action: str, subject: Mapping[str, str], **headers: str) -> dict[str, str]:
    return fields_in(html_of(get(world, f"/ui/actions/{action}?{urlencode(subject)}", **headers)))


def again(world: World, action: str, fields: Mapping[str, str], **headers: str) -> func.HttpResponse:
    return post(world, f"/ui/actions/{action}", fields, **headers)


def sentence(answer: func.HttpResponse) -> str:
    """What the next page will tell."""
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    return told(asked_for("GET", "/ui", {"Cookie": cookie}))


def test_what_waits_for_a_yes_is_on_the_first_page_and_gets_it_by_name(waiting: tuple[World, str]) -> None:
    world, run_id = waiting
    first = html_of(get(world, "/ui"))
    assert f"/ui/actions/approve?run_id={run_id}&amp;target=hub-vm" in first
    refreshed = html_of(get(world, f"/ui/runs/{run_id}", **{"HX-Request": "true"}))
    assert f"/ui/actions/approve?run_id={run_id}&amp;target=hub-vm" in refreshed, "who watches a run may decide there"
    assert refreshed.count("Somebody must decide") == 1

    nameless = sent(world, "approve", {"run_id": run_id, "target": "hub-vm"}, reason="looks good")
    said = html_of(nameless, 400)
    assert 'aria-invalid="true" aria-describedby="wrong-by"' in said
    assert ">looks good</textarea>" in said.replace("\n", "")
    assert world.ledger.approvals.of(run_id, "hub-vm").approved is None

    done = again(world, "approve", fields_in(said) | {"by": "Ada"})
    assert (done.status_code, done.headers["Location"]) == (303, f"/ui/runs/{run_id}")
    decision = world.ledger.approvals.of(run_id, "hub-vm")
    assert (decision.approved, decision.reason) == (True, "looks good")
    assert "Ada" in decision.by
    assert "a key, not a person" in decision.by

    twice = again(world, "approve", fields_in(said) | {"by": "Ada"})
    assert twice.status_code == 303
    other = sent(world, "reject", {"run_id": run_id}, by="Bob", reason="no")
    assert "Ada" in html_of(other, 409)


def test_a_rejection_needs_a_reason(waiting: tuple[World, str]) -> None:
    world, run_id = waiting
    said = html_of(sent(world, "reject", {"run_id": run_id, "target": "hub-vm"}, by="Ada <b>", reason=" "), 400)

    assert "wrong-reason" in said
    assert fields_in(said)["by"] == "Ada <b>"
    assert 'data-seen=""' in said  # its address alone is no page
    assert "<b>" not in said
    done = again(world, "reject", fields_in(said) | {"reason": "the data are of the wrong hospital"})
    assert done.status_code == 303
    assert world.ledger.approvals.of(run_id, "hub-vm").approved is False


def test_a_run_is_cancelled_once_however_often_it_is_clicked(waiting: tuple[World, str]) -> None:
    world, run_id = waiting
    fields = opened(world, "cancel", {"run_id": run_id}) | {"by": "Ada", "reason": "wrong files"}
    first, second = again(world, "cancel", fields), again(world, "cancel", fields)

    assert first.status_code == second.status_code == 303
    wait(world, minutes=1)
    (run,) = world.ledger.runs.list_runs([NAME]).items
    assert run.outcome == "cancelled"
    kept = world.ledger.runs.cancellation(run_id)
    assert kept is not None
    assert (kept.by.said, kept.reason) == ("Ada", "wrong files")

    resumed = sent(world, "resume", {"run_id": run_id})
    assert resumed.headers["Location"] != f"/ui/runs/{run_id}"


def test_a_start_shows_first_what_would_happen_and_starts_once(shop: World) -> None:
    empty = html_of(get(shop, "/ui/actions/start?name=quiet"))
    assert "No training would start" in empty
    assert "Start a training</button>" in empty.replace("disabled>", ">")

    shop.upload(NAME, "landing/part-1.csv")
    fields = opened(shop, "start", {"name": NAME}) | {"reason": "by hand"}
    assert shop.ledger.runs.list_runs([NAME]).items == ()
    first, second = again(shop, "start", fields), again(shop, "start", fields)

    (run,) = shop.ledger.runs.list_runs([NAME]).items
    assert first.headers["Location"] == second.headers["Location"] == f"/ui/runs/{run.run_id}"
    assert run.run_id in sentence(first)


def test_parameters_are_typed_in_the_readers_way_and_what_is_wrong_is_marked(tmp_path: Any) -> None:
    parameters = {"rounds": 20, "rate": 0.5, "deep": False}
    with page_world(tmp_path, {NAME: {"parameters": parameters}}) as world:
        world.upload(NAME, "landing/part-1.csv")
        wrong = html_of(get(world, f"/ui/actions/start?name={NAME}&look=1&p.rounds=many&p.rate=0,25&p.deep=true"))
        assert 'aria-describedby="wrong-p.rounds"' in wrong
        assert 'value="0,25"' in wrong
        fields = opened(world, "start", {"name": NAME, "p.rate": "0,25", "p.deep": "true", "force": "1"})
        assert fields["p.rate"] == "0,25"
        assert again(world, "start", fields | {"by": "Ada", "reason": "a deeper one"}).status_code == 303
        (run,) = world.ledger.runs.list_runs([NAME]).items
        request = world.ledger.runs.request(run.run_id)
        assert request is not None
        assert dict(request.parameters) == {"rounds": 20, "rate": 0.25, "deep": True}
        assert request.note == (
            "asked by the holder of function key local, who gives the name Ada (a key, not a person): a deeper one"
        )


def test_a_pipeline_is_retired_seen_to_be_and_reinstated(shop: World) -> None:
    assert "wrong-reason" in html_of(sent(shop, "retire", {"name": "quiet"}), 400)
    retired = sent(shop, "retire", {"name": "quiet"}, reason="nobody needs it")
    there = retired.headers["Location"]
    assert there.startswith("/ui/actions/done/")
    wait(shop, minutes=1)
    assert "is retired" in html_of(get(shop, there))
    assert "nobody needs it" in html_of(get(shop, there))

    fields = opened(shop, "reinstate", {"name": "quiet"})
    first, second = again(shop, "reinstate", fields), again(shop, "reinstate", fields)
    assert first.headers["Location"] == second.headers["Location"] == "/ui/pipelines/quiet"
    assert shop.ledger.actions.retirement("quiet") is None


def test_what_is_told_is_told_once(shop: World) -> None:
    answer = sent(shop, "release", {"name": "quiet"})
    cookie = answer.headers["Set-Cookie"].partition(";")[0]

    shown = get(shop, "/ui", Cookie=cookie)
    assert "holds no data back" in html_of(shown)
    assert "Max-Age=0" in shown.headers["Set-Cookie"]
    assert 'class="told"' not in html_of(get(shop, "/ui"))


def test_who_asks_for_what_is_not_there_is_told(shop: World) -> None:
    for address in ("destroy?name=quiet", "start", "cancel?run_id=none", "roll-back?target=moon&name=quiet", "done/x"):
        assert get(shop, f"/ui/actions/{address}").status_code == 404
    assert post(shop, "/ui/actions/destroy", {}).status_code == 404


@pytest.mark.parametrize("action", sorted(ACTS))
def test_an_action_names_fields_that_the_api_has(action: str) -> None:
    from function_app.api.handlers import handler_of

    act = ACTS[action]
    body = handler_of(act.row).body
    assert body is not None
    assert {*act.asks, *act.may} <= set(body.model_fields)
    assert act.row.method == "POST"
    assert all("{" + part + "}" in act.row.path for part in act.subject)


def test_the_form_to_roll_back_shows_what_serves_and_leads_to_the_api(waiting: tuple[World, str]) -> None:
    world, run_id = waiting
    assert sent(world, "approve", {"run_id": run_id, "target": "hub-vm"}, by="Ada").status_code == 303
    wait(world, minutes=90)
    subject = {"target": "hub-vm", "name": NAME}

    form = html_of(get(world, f"/ui/actions/roll-back?{urlencode(subject)}"))
    answer = sent(world, "roll-back", subject, reason="worse since Monday")

    assert f'name="instead_of" value="{run_id}"' in form
    assert answer.status_code in {303, 409}  # there may be nothing to go back to


def test_a_link_fills_in_nobodys_name_and_no_number_of_a_request(waiting: tuple[World, str]) -> None:
    world, run_id = waiting
    planted = {"by": "Mallory", "reason": "all is well", "once": "taken", "instead_of": "run-of-before"}

    for action, subject in (("approve", {"run_id": run_id}), ("roll-back", {"target": "hub-vm", "name": NAME})):
        shown = html_of(get(world, f"/ui/actions/{action}?{urlencode(subject | planted)}"))
        assert not [text for text in planted.values() if text in shown]


def test_a_link_that_trains_differently_shows_how(shop: World) -> None:
    plain = html_of(get(shop, "/ui/actions/start?name=quiet"))
    planted = html_of(get(shop, "/ui/actions/start?name=quiet&force=1"))

    assert "<details>" in plain
    assert "<details open>" in planted


def test_a_target_without_a_name_is_none_that_a_form_may_be_about(waiting: tuple[World, str]) -> None:
    world, run_id = waiting

    fields = opened(world, "approve", {"run_id": run_id, "target": " "})

    assert "target" not in fields, "the form says that it is about every target, since that is what it would do"
    assert get(world, "/ui/actions/retire?name=%20").status_code == 404


def test_what_is_told_fits_into_a_cookie() -> None:
    header = telling("\N{GRINNING FACE}" * 2000)
    cookie = header.partition(";")[0]

    assert len(header) < 4096
    assert told(asked_for("GET", "/ui", {"Cookie": cookie})).startswith("\N{GRINNING FACE}")


@pytest.mark.parametrize("action_id", ["a/b", "a#b", "a?b", "a\\b", "a\nb", "x" * 2000])
def test_the_tables_are_not_asked_for_keys_that_they_refuse(action_id: str) -> None:
    table = MemoryTable()
    assert ActionLedger(table).action(action_id) is None
    assert table.requests == 0


def test_a_doctor_and_a_registry_that_hang_hold_up_no_page(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    freed = threading.Event()
    for screen, asked in ((doctor_screen, "doctor"), (passport_screen, "get_passport")):
        monkeypatch.setattr(screen, "PATIENCE", 0.05)
        monkeypatch.setattr(screen, asked, lambda *_: freed.wait(60))
    try:
        for _ in range(3):
            assert "The doctor did not answer within" in html_of(get(shop, "/ui/doctor?run=1"))
            assert "The registry did not answer within" in html_of(get(shop, f"/ui/models/{NAME}/1/passport"), 503)
        assert get(shop, "/ui").status_code == 200
    finally:
        freed.set()


@pytest.mark.parametrize("address", ["/ui/actions/start?name=quiet", "/ui/why?pipeline=quiet&blob=landing/a.csv"])
def test_a_hub_that_hangs_holds_up_no_page(shop: World, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    freed = threading.Event()
    monkeypatch.setattr(type(shop.services.hubs), "hub", lambda *_: freed.wait(60))
    monkeypatch.setattr(type(shop.services.hubs), "preview_snapshot", lambda *_, **__: freed.wait(60))
    for screen in (act_screen, why_screen):
        monkeypatch.setattr(screen, "PATIENCE", 0.05)
    try:
        assert "did not answer within" in html_of(get(shop, address))
        assert get(shop, "/ui").status_code == 200
    finally:
        freed.set()


def test_what_serves_by_now_is_what_the_next_try_takes_back(waiting: tuple[World, str]) -> None:
    world, run_id = waiting
    assert sent(world, "approve", {"run_id": run_id, "target": "hub-vm"}, by="Ada").status_code == 303
    wait(world, minutes=90)
    fields = opened(world, "roll-back", {"target": "hub-vm", "name": NAME}) | {"reason": "worse since Monday"}

    said = html_of(again(world, "roll-back", fields | {"instead_of": "run-of-before"}), 409)
    shown = fields_in(said)

    assert "serves the release of run" in said
    assert (shown["instead_of"], shown["reason"]) == (run_id, "worse since Monday")
    second = again(world, "roll-back", shown)
    assert second.status_code == 303 or "run-of-before" not in html_of(second, 409)


def test_a_start_that_nobody_answered_may_be_tried_again_with_other_words(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> dict[str, Any]:
        return {}

    shop.upload(NAME, "landing/part-1.csv")
    fields = opened(shop, "start", {"name": NAME}) | {"reason": "by hand"}
    with monkeypatch.context() as patched:
        patched.setattr(starts, "admission_of", nothing)
        shown = fields_in(html_of(again(shop, "start", fields), 503))
    assert shown["reason"] == "by hand"

    same, other = again(shop, "start", shown), again(shop, "start", shown | {"reason": "by hand, once more"})

    (run,) = shop.ledger.runs.list_runs([NAME]).items
    assert same.headers["Location"] == other.headers["Location"] == f"/ui/runs/{run.run_id}"


def test_a_start_says_with_which_parameters_it_would_train(tmp_path: Any) -> None:
    dutch = {"Accept-Language": "nl"}
    with page_world(tmp_path, {NAME: {"parameters": {"rounds": 20, "rate": 0.5, "deep": False}}}) as world:
        world.upload(NAME, "landing/part-1.csv")
        address = f"/ui/actions/start?name={NAME}&look=1&p.rate="
        said = html_of(get(world, address + "0,25", **dutch))
        wrong = html_of(get(world, address + "1.000", **dutch))
        fields = opened(world, "start", {"name": NAME, "p.rate": "1,000"}, **dutch)
        assert again(world, "start", fields, **dutch).status_code == 303
        (run,) = world.ledger.runs.list_runs([NAME]).items
        request = world.ledger.runs.request(run.run_id)

    shown = [part.partition("</strong>")[0].strip() for part in said.split(": <strong>")[1:]]
    assert sorted(shown) == ["0,25", "20", "nee"]
    assert said.count("niet zoals in het bestand") == 1
    assert 'aria-describedby="wrong-p.rate"' in wrong
    assert "op twee manieren" in wrong
    assert request is not None
    assert request.parameters["rate"] == 1.0, "a comma parts in Dutch"


def test_a_run_in_which_nothing_was_trained_is_not_offered_to_be_resumed(tmp_path: Any) -> None:
    with page_world(tmp_path, {NAME: {}}) as world:
        world.driver.spoiled = lambda _: True
        world.deliver([world.upload(NAME, "landing/part-1.csv")])
        wait(world, minutes=15)
        (run,) = world.ledger.runs.list_runs([NAME]).items
        said = html_of(get(world, f"/ui/runs/{run.run_id}"))
        form = html_of(get(world, f"/ui/actions/resume?run_id={run.run_id}"))

    assert run.outcome == "failed"
    assert "/ui/actions/resume" not in said
    assert "/ui/actions/start" in said
    assert "Not known to be trained" in form


def test_a_model_that_serves_can_be_taken_back_where_it_is_looked_at(waiting: tuple[World, str]) -> None:
    world, run_id = waiting
    back = f"/ui/actions/roll-back?target=hub-vm&amp;name={NAME}"
    pages = [f"/ui/runs/{run_id}", f"/ui/pipelines/{NAME}"]
    assert not [page for page in pages if back in html_of(get(world, page))], "it serves nowhere yet"
    assert sent(world, "approve", {"run_id": run_id, "target": "hub-vm"}, by="Ada").status_code == 303
    wait(world, minutes=90)

    assert all(back in html_of(get(world, page)) for page in pages)
    world.deliver([world.upload(NAME, "landing/part-2.csv")])
    wait(world, minutes=15)
    newer = world.ledger.runs.list_runs([NAME]).items[0].run_id
    assert newer != run_id
    assert back not in html_of(get(world, f"/ui/runs/{newer}")), "what it would replace serves"


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/ui/nothing", 404, "Niet gevonden"),
        ("/ui/models/other", 404, "Er is geen model"),
        ("/ui/actions/destroy?name=quiet", 404, "De pagina kent die handeling niet."),
        ("/ui/actions/start", 404, "Dit adres zegt niet"),
        ("/ui/actions/roll-back?target=moon&name=quiet", 404, "Aan moon is niets geleverd"),
    ],
)
def test_what_the_page_refuses_it_refuses_in_the_readers_language(
    shop: World, address: str, status: int, said: str
) -> None:
    shown = html_of(get(shop, address, **{"Accept-Language": "nl"}), status)

    assert said in shown
    assert 'lang="en"' not in shown
    assert f"<h1>{status} Niet gevonden</h1>" in shown
