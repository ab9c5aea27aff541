"""What was answered with 200 is delivered, whatever happens to the stand-in."""

import json
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import AzureError

from tests.integration.event_grid.stand_in import (
    EVENTS_TOPIC,
    TOPICS,
    Receiver,
    StandIn,
    an_event,
    running,
)
from tests.support.service_process import ROOT, eventually


def test_nothing_is_lost_when_it_is_killed_again_and_again(tmp_path: Path, endpoint: Receiver) -> None:
    accepted: list[str] = []
    with running(tmp_path) as grid:
        grid.subscribe("all", endpoint.url, concurrency=4)
        endpoint.hold = 0.02
        ended = threading.Event()
        publishing = threading.Thread(target=_publish_until, args=(grid, ended, accepted))
        publishing.start()
        for least in (20, 40, 60):
            eventually(partial(_has, accepted, least))
            grid.kill()
            grid.start()
        ended.set()
        publishing.join(timeout=60)

        found = grid.final_counts("all")

    assert len(accepted) >= 60
    assert set(accepted) <= set(endpoint.ids)
    assert found["delivered"] >= len(set(accepted))


def _has(items: list[str], least: int) -> bool:
    return len(items) >= least


def _publish_until(grid: StandIn, ended: threading.Event, accepted: list[str]) -> None:
    """One event a request; an id counts when its request was answered with success."""
    with grid.publisher(EVENTS_TOPIC) as publisher:
        while not ended.is_set():
            event = an_event()
            try:
                publisher.send(event, retry_total=0)
            except AzureError:
                ended.wait(0.02)
            else:
                accepted.append(str(event.id))


def test_a_graceful_stop_keeps_what_is_on_its_way(tmp_path: Path, endpoint: Receiver) -> None:
    with running(tmp_path) as grid:
        grid.subscribe("all", endpoint.url)
        endpoint.status = 500
        grid.publish(EVENTS_TOPIC, *(an_event(id=f"event-{number}") for number in range(5)))
        endpoint.wait_for(5)
        before = grid.endpoints

        assert grid.stop() == 0
        assert not (grid.state / "endpoints.json").exists()
        endpoint.status = 200
        grid.start()

        assert {key: before[key] for key in before if key != "pid"} == {
            key: grid.endpoints[key] for key in before if key != "pid"
        }
        assert {"delivered": 5, "pending": 0}.items() <= grid.final_counts("all").items()
    assert set(endpoint.ids) == {f"event-{number}" for number in range(5)}


def test_a_config_must_be_json(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")

    ended = _run("--state", str(tmp_path / "state"), "--config", str(tmp_path / "config.json"))

    assert ended.returncode == 2
    assert "config.json" in ended.stderr


def test_a_folder_has_one_stand_in(tmp_path: Path) -> None:
    with running(tmp_path) as grid:
        ended = _run("--state", str(grid.state))

    assert ended.returncode == 2
    assert "another process" in ended.stderr


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"topics": 7}, "topics"),
        ({"topics": [{"name": "a b c"}]}, "topics.0.name"),
        ({"subscriptions": [{"name": "abc", "topic": "nobody", "endpoint": "http://x/?code=s3cret"}]}, "no topic"),
        ({"subscriptions": [{"name": "abc", "topic": "arrivals", "endpoint": "s3cret"}]}, "endpoint"),
        ({"blobSources": ["s3cret"]}, "blobSources"),
    ],
)
def test_a_config_that_cannot_be_used_says_why(tmp_path: Path, config: dict[str, Any], reason: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"topics": TOPICS, **config}))

    ended = _run("--state", str(tmp_path / "state"), "--config", str(file))

    assert ended.returncode == 2
    assert reason in ended.stderr
    assert "s3cret" not in ended.stderr


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local_stack.event_grid", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
