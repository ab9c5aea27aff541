"""The comparison with Dagster and Prefect: who is better, what the report says, and what counts as a training."""

import json
import re
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.peers.environments import HERE
from benchmarks.peers.figures import MEASURES, Figures, Kept, Killed, Measure, lines_of_code, ratio, together, verdict
from benchmarks.peers.landing import deliveries, land
from benchmarks.peers.report import report
from benchmarks.peers.sides import Job, Settings, latest
from benchmarks.peers.watching import is_training
from local_stack.app_client import Landed

KILLED = Killed(seconds=12.0, trainings=1, account="promoted", waited=600.0)
OURS = Figures(
    side="edgetrain",
    deliveries=14_000,
    trainings=1,
    until_training=40.0,
    before=4.0,
    after=2.0,
    program=18.0,
    idle_cpu=20.0,
    idle_megabytes=150.0,
    idle_parts="host 20 s 150 MB",
    lines=60,
    model="ab",
    killed=KILLED,
)
ONE = replace(OURS, side="dagster", trainings=3, before=10.0, after=10.0, idle_cpu=100.0, lines=120)
OTHER = replace(OURS, side="prefect", trainings=2, before=5.0, after=3.0, idle_cpu=30.0, idle_megabytes=100.0)
SIDES = [OURS, ONE, OTHER]
JOB = Job(
    files=10_000,
    landing_seconds=100.0,
    idle_seconds=300.0,
    kill_wait=600.0,
    settings=Settings(quiet=30, window=120, longest_run=300),
)


def kept(*sides: Figures, machine: str = "") -> list[Kept]:
    return [Kept(job="the same", machine=machine, figures=each) for each in sides]


def measure(what: str) -> Measure:
    (found,) = (each for each in MEASURES if each.what.startswith(what))
    return found


@pytest.mark.parametrize(
    ("what", "expected", "words"),
    [
        ("trainings", 0.5, "met (≤ 1)"),
        ("overhead", 0.75, "missed (≤ 0.5)"),
        ("CPU", 20 / 30, "missed (≤ 0.5)"),
        ("memory", 1.5, "prefect is better"),
        ("lines", 1.0, ""),
    ],
)
def test_ours_is_held_against_the_better_peer(what: str, expected: float, words: str) -> None:
    assert ratio(measure(what), SIDES) == pytest.approx(expected)
    assert verdict(measure(what), SIDES) == words


def test_a_peer_that_is_better_is_named_even_where_there_is_a_goal() -> None:
    slow = [replace(OURS, before=90.0), ONE, OTHER]

    assert verdict(measure("overhead"), slow) == "missed (≤ 0.5); prefect is better"


def test_the_report_shows_every_measure_of_every_side() -> None:
    text = report(kept(*SIDES, machine="Measured on a machine."), JOB)

    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert {len(row) for row in rows} == {6}
    assert len(rows) == 1 + len(MEASURES)
    assert "the same bytes on all sides" in text
    assert text.endswith("".join(f"- {each.side}: Measured on a machine.\n" for each in SIDES))
    assert not re.search(r"[{}]", text)


def test_models_that_differ_are_told() -> None:
    assert "2 different files" in report(kept(OURS, ONE, replace(OTHER, model="cd")), JOB)


def test_one_side_alone_is_compared_with_nobody() -> None:
    assert "ratio" not in report(kept(ONE), JOB).split("After SIGKILL")[0]


@pytest.mark.parametrize("seconds", [12.0, None])
def test_figures_that_are_kept_are_those_that_were_measured(tmp_path: Path, seconds: float | None) -> None:
    (written,) = kept(replace(OURS, killed=replace(KILLED, seconds=seconds)), machine="Measured on a machine.")
    file = tmp_path / "figures" / "edgetrain.json"
    assert Kept.read(file) is None

    written.write(file)

    assert Kept.read(file) == written


def test_a_side_that_is_measured_again_is_put_beside_the_others() -> None:
    before = kept(*SIDES)
    (again,) = kept(replace(OURS, idle_cpu=10.0))

    assert together([again], before) == [again, *before[1:]]
    assert together(before, []) == before


def test_sides_of_another_job_are_not_compared() -> None:
    (again,) = kept(OURS)

    assert together([again], [replace(each, job="another") for each in kept(*SIDES)]) == [again]


def test_the_report_is_what_the_kept_figures_say() -> None:
    files = [HERE / "figures" / f"{side}.json" for side in ("edgetrain", "dagster", "prefect")]
    found = [each for file in files if (each := Kept.read(file))]

    assert len({each.job for each in found}) == 1
    raw = json.loads(found[0].job)
    job = Job(**{**raw, "settings": Settings(**raw["settings"])})
    assert (HERE / "report.md").read_text(encoding="utf-8") == report(found, job)


def test_a_kill_that_nothing_came_of_is_told_as_that() -> None:
    lost = replace(KILLED, seconds=None, account="Running")

    assert str(lost) == "no model within 600 s, 1 training in all (its runs: Running)"


def test_a_tenth_of_the_events_is_lost_and_half_come_twice() -> None:
    plan = deliveries(1_000)

    assert Counter(map(len, plan)) == {0: 100, 1: 400, 2: 500}
    assert {after for times in plan for after in times[1:]} == {10.0, 30.0, 60.0}
    assert plan == deliveries(1_000)


def test_every_delivery_of_the_plan_is_made() -> None:
    told: list[tuple[str, str]] = []
    lock = threading.Lock()

    def deliver(blob: Landed, event: str) -> None:
        with lock:
            told.append((blob.name, event))

    files = dict.fromkeys(("a", "b", "c"), b"row")
    plan: list[tuple[float, ...]] = [(), (0.0,), (0.0, 0.01)]
    landing = land(files, plan, seconds=0.0, upload=lambda name, body: Landed("c", name, "1", 3), deliver=deliver)

    assert Counter(told) == {("b", "event-1"): 1, ("c", "event-2"): 2}
    assert (landing.files, landing.deliveries) == (3, 3)
    assert landing.last_event_at >= landing.last_file_at > 0


def test_an_upload_that_fails_ends_the_landing() -> None:
    def upload(name: str, content: bytes) -> Landed:
        raise OSError(name)

    with pytest.raises(OSError, match="a"):
        land({"a": b""}, [(0.0,)], seconds=0.0, upload=upload, deliver=None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/venv/bin/python train.py --data d --most-iterations 1000.000002", True),
        ("python3 /job/train.py --most-iterations 1000.000002 --pause-seconds 15.0", True),
        ("python train.py --most-iterations 1000.000003", False),
        ("python train.py --most-iterations", False),
        ("python train.py", False),
        ("podman run image python train.py --most-iterations 1000.000002", False),
        ("sh -c python", False),
        ("", False),
    ],
)
def test_only_the_program_itself_counts_as_a_training(line: str, expected: bool) -> None:
    assert is_training(line.split(" "), 1000.000002) is expected


def test_a_training_belongs_to_the_run_before_it() -> None:
    assert latest([5.0, 30.0, 10.0], before=20.0) == 10.0
    with pytest.raises(AssertionError, match="no run"):
        latest([30.0], before=20.0)


def test_lines_are_counted_without_words_to_people(tmp_path: Path) -> None:
    code, settings = tmp_path / "a.py", tmp_path / "b.yaml"
    code.write_text('"""Two\nlines."""\n\n# why\ndef f() -> int:\n    """One."""\n    return 1\n', encoding="utf-8")
    settings.write_text("# why\na: 1\n\nb: {c: 2}\n", encoding="utf-8")

    assert lines_of_code([code, settings]) == 4


@pytest.mark.parametrize("peer", ["dagster", "prefect"])
def test_the_peers_train_with_the_same_libraries(peer: str) -> None:
    ours = _pins(HERE.parents[1] / "training/breast_cancer/requirements.txt")
    theirs = _pins(HERE / f"with_{peer}/requirements.txt")
    libraries = ("joblib", "numpy", "scikit-learn", "scipy", "skops", "threadpoolctl")

    assert {name: theirs[name] for name in libraries} == {name: ours[name] for name in libraries}


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
