"""A person's whole day at the page, by clicks in a real browser on the real stack, and who may do what there.

A file lands; its run is seen moving, approved by name, watched as a canary, asked about, and taken back. Nothing is
typed into an address, and nothing is asked of the API but what other people and machines ask.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import pytest
import requests

from function_app.page.actions import ACTS
from function_app.page.addresses import SCREENS
from local_stack.app_client import AppClient, app_client, deadline, land
from local_stack.demo.traffic import SteadyClient
from local_stack.demo_data import breast_cancer_story
from local_stack.page_link import page_lines
from local_stack.site_agent import site_agent
from local_stack.supervisor import Stack
from local_stack.supervisor.layout import Layout
from shared.decisions.access.roles import Role
from tests.support.access import KEYS, UNKNOWN_KEY, digest
from tests.support.browser import Pages, screens
from tests.support.canaries import files_below
from tests.support.changed_app import ChangedApp

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

NAME = "day"
TARGET = "hub-vm"
ADA = "Ada Lind"
DATA = breast_cancer_story()
# Each key has the role of its name; who has the stack's own may operate and approve.
ROLES = {
    "EDGETRAIN_KEY_ROLES__LOCAL": f"{Role.OPERATOR},{Role.APPROVER}",
    **{f"EDGETRAIN_KEY_NAMES__{name.upper()}": digest(key) for name, key in KEYS.items()},
    **{f"EDGETRAIN_KEY_ROLES__{name.upper()}": name for name in KEYS},
}
SECOND = "landing/of-the-day.csv"
SHOWN = 120_000  # milliseconds until the open page has refreshed itself and shows it
UNTIL_IT_IS_THERE = 900_000  # a training, an image and a roll-out on a busy machine


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    """An app with a pipeline that asks somebody and goes by a canary; its first model serves since yesterday."""
    app = ChangedApp.copied_to(tmp_path_factory.mktemp("day") / "app")
    canary = {"steps": [50], "soak_seconds": 40, "least_requests": 8, "watch_seconds": 1}
    app.add_pipeline(
        NAME,
        data={"container": NAME},
        judge={"margin": -0.5},  # any model of these data is as good as the one before
        deliver={"strategy": canary, "approval": {"hours": 1, "otherwise": "reject"}},
    )
    app.prepare_serving(stack, NAME)
    land(stack.endpoints, NAME, DATA.holdout_name, DATA.holdout)
    with app.deployed(stack, **ROLES), app_client(stack.endpoints) as found:
        yield found


@pytest.fixture(scope="module")
def yesterday(stack: Stack, client: AppClient) -> str:
    """The run whose model serves when the day begins."""
    for name, content in DATA.first.items():
        land(stack.endpoints, NAME, name, content)
    answer = client.post(f"/api/pipelines/{NAME}/runs")
    assert answer.status_code == 202, answer.text
    run_id = str(answer.json()["run_id"])
    for _ in deadline(900, f"the question whether {run_id} may be rolled out"):
        roll_outs = (client.run(run_id).get("progress") or {}).get("roll_outs") or {}
        if roll_outs and all(each.get("phase") == "approval" for each in roll_outs.values()):
            break
    approved = client.post(f"/api/runs/{run_id}/approve", {"by": ADA})
    assert approved.status_code == 200, approved.text
    run = client.wait_for_outcome(run_id, seconds=900)
    assert run["outcome"] == "promoted", run["reason"]
    return run_id


@pytest.mark.timeout(3000)
def test_a_day_is_done_by_clicks(stack: Stack, client: AppClient, yesterday: str, page_of: Pages) -> None:
    page = page_of(one_time_link(stack))
    day = Day(page)
    day.click("Sign in")
    day.reads("h1", "Now")
    day.sees(page.get_by_text("times are those of Europe/Amsterdam"))
    card = page.locator("section.card").filter(has=page.get_by_role("link", name=NAME, exact=True))
    day.sees(card.get_by_title(yesterday).first)
    day.sees(card.get_by_text("nothing", exact=True))

    drops(stack, SECOND, b"".join(DATA.second.values()))
    run_link = card.locator(".run-line a").first
    day.sees(run_link, UNTIL_IT_IS_THERE)  # nobody has loaded the page again
    run_id = str(run_link.get_attribute("title"))
    assert run_id != yesterday
    run_link.click()
    day.reads("h1", "Run of day")
    day.sees(page.locator(".standing").get_by_text("being rolled out"), UNTIL_IT_IS_THERE)
    day.sees(page.get_by_text(f"May the new model go to {TARGET}?").first)
    day.click("Approve")
    day.reads("h1", "Approve the new model")
    day.click("Approve the new model")
    assert page.locator("#f-by:invalid").count() == 1, "a key does not say who you are"
    page.get_by_label("Your name").fill(ADA)
    page.get_by_label("Why").fill("the metrics hold")
    day.click("Approve the new model")
    day.reads(".told", "approved")

    with SteadyClient(endpoint(client), DATA.sample_request) as users:
        canary = page.get_by_text("a part of the requests goes to the new model").first
        day.sees(canary, UNTIL_IT_IS_THERE)
        screens(page, "day-canary")
        day.sees(page.locator(".standing").get_by_text("in use"), UNTIL_IT_IS_THERE)
    assert users.sent
    assert users.failed == 0
    day.sees(page.get_by_text(ADA).first)

    day.screen("Why")
    page.get_by_label("Pipeline").select_option(NAME)
    page.get_by_label("Name of the file").fill(SECOND)
    day.click("Look it up")
    day.sees(page.get_by_text("A model was trained on it."))
    page.get_by_title(run_id).first.click()
    day.reads("h1", "Run of day")

    day.screen("Targets")
    place = page.locator("section.card").filter(has=page.get_by_role("link", name=NAME, exact=True)).first
    place.get_by_role("link", name="Roll back").click()
    day.reads("h1", "Roll back")
    page.get_by_role("radio", name="the one before").check()
    page.get_by_label("Your name").fill(ADA)
    page.get_by_label("Why").fill("the ward says that it answers oddly")
    day.click("Roll back")
    day.sees(page.locator(".badge.good").filter(has_text="done"), UNTIL_IT_IS_THERE)
    day.sees(page.get_by_text("the ward says that it answers oddly"))

    day.screen("Now")
    day.sees(card.locator(".plain-list").get_by_title(yesterday), SHOWN)
    card.get_by_role("link", name=NAME, exact=True).click()
    day.reads("h1", NAME)
    day.click("Let data be trained again")
    day.sees(page.get_by_text("rolled back").first)
    day.click("Let data be trained again")
    day.reads("h1", NAME)

    day.click("Sign out")
    day.reads("h1", "Sign in")
    page.go_back()
    page.reload()
    day.reads("h1", "Sign in")
    leaks_nothing(stack, day)


WHO: Final = ("nobody", "wrong key", *(role.value for role in Role))


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("who", WHO)
def test_screens_and_actions_are_open_to_those_whose_they_are(
    stack: Stack, client: AppClient, yesterday: str, who: str
) -> None:
    """Through the host's own routing; the app's side of it is ``unit/function_app/page/test_door.py``."""
    subject = {"name": NAME, "run_id": yesterday, "target": TARGET}
    known = {**subject, "model": NAME, "version": "1", "action": "start", "action_id": "x", "*rest": "nowhere"}
    with Visitor(stack, who) as visitor:
        for screen in SCREENS:
            address = (
                "/" + screen.path.format(**known) + (f"?{urlencode(subject)}" if "{action}" in screen.path else "")
            )
            status = visitor.status_of("GET", address)
            assert status in ({200, 404} if visitor.role else {303}), f"{who} at {screen.name}"
        for act in ACTS.values():
            address = f"/ui/actions/{act.name}"
            may = visitor.role is act.role
            if visitor.role:
                form = visitor.ask("GET", f"{address}?{urlencode(subject)}")
                assert form.status_code in {200, 409}, f"{who} at the form of {act.name}: {form.text}"
                assert ("<fieldset disabled>" in form.text) is not may, f"{who} at the form of {act.name}"
            forged = visitor.ask("POST", address, {**subject, "reason": "because", "by": "Mallory", "token": "x"})
            assert forged.status_code == (403 if visitor.role else 303), f"{who} sends {act.name}: {forged.text}"
    assert client.run(yesterday)["outcome"] == "promoted"


class Visitor:
    """Somebody with a key, or without one, who does not follow where the page leads."""

    def __init__(self, stack: Stack, who: str) -> None:
        self.role = Role(who) if who in set(Role) else None
        self._url = stack.endpoints["functions_host"]["url"]
        self._session = requests.Session()
        if who == "nobody":
            return
        signed_in = self.ask("POST", "/ui/sign-in", {"key": KEYS.get(who, UNKNOWN_KEY)})
        assert signed_in.status_code == (303 if self.role else 403), signed_in.text
        assert bool(self._session.cookies) is (self.role is not None)

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, method: str, address: str, form: dict[str, str] | None = None) -> requests.Response:
        headers = {"Origin": self._url, "Sec-Fetch-Site": "same-origin"} if form else {}
        return self._session.request(
            method, self._url + address, data=form, headers=headers, allow_redirects=False, timeout=120
        )

    def status_of(self, method: str, address: str) -> int:
        return self.ask(method, address).status_code


class Day:
    """A browser's page, and the addresses that it has been to."""

    def __init__(self, page: "Page") -> None:
        self._page = page
        self.addresses: list[str] = []
        page.on("request", lambda request: self.addresses.append(request.url))

    def click(self, name: str) -> None:
        """A button, or a link that looks like one."""
        page = self._page
        page.get_by_role("button", name=name, exact=True).or_(
            page.get_by_role("link", name=name, exact=True)
        ).first.click()

    def screen(self, name: str) -> None:
        """One of the screens in the navigation."""
        self._page.get_by_role("navigation", name="Screens").get_by_role("link", name=name).click()

    def reads(self, selector: str, text: str) -> None:
        self.sees(self._page.locator(selector).filter(has_text=text))

    def sees(self, there: "Locator", milliseconds: float = SHOWN) -> None:
        there.wait_for(timeout=milliseconds)


def one_time_link(stack: Stack) -> str:
    """What ``make up`` prints."""
    (link,) = [word for line in page_lines(stack.endpoints) if "signs in once" in line for word in line.split()[-1:]]
    return link


def drops(stack: Stack, name: str, content: bytes) -> None:
    """A file lands on the hub, and the site's agent says so."""
    with site_agent(stack.endpoints) as agent:
        agent.publish_written([land(stack.endpoints, NAME, name, content)])


def endpoint(client: AppClient) -> str:
    (target,) = [each for each in client.get("/api/targets").json()["targets"] if each["pipeline"] == NAME]
    return str(target["endpoint"])


def leaks_nothing(stack: Stack, day: Day) -> None:
    """No key in any address that the browser asked for, nor in what the host has written."""
    host = stack.endpoints["functions_host"]
    secrets = [host[name] for name in ("function_key", "master_key", "page_secret")]
    secrets += [*KEYS.values(), UNKNOWN_KEY]
    assert day.addresses
    assert not [address for address in day.addresses if any(secret in address for secret in secrets)]
    logs = [log for log in files_below(Layout.at(stack.state).logs) if log.name.startswith("functions_host")]
    assert logs
    for log in logs:
        text = log.read_text(encoding="utf-8", errors="replace")
        assert not any(secret in text for secret in secrets), log.name
