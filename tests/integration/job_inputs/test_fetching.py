"""Data of a run come from the hub as the manifest lists them, once, and as a whole; or the run fails and says why."""

import hashlib
import json
import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from site_agent.job import hub as hub_module
from site_agent.job.cache import Cache
from site_agent.job.failures import DataError
from site_agent.job.hub import HubError
from site_agent.job.inputs import LeftOut
from site_agent.job.policy import PolicyRefusedError
from tests.support.job_inputs import GOOD, HOLDOUT, JobHub
from tests.support.spoiled_hub import Answer, SpoiledHub, altered, broken_off, html, shortened

PART = "landing/part-1.csv"
TRIES = 1 + len(hub_module.PAUSES)
BLOBS = {PART: b"age\n1\n2\n", "landing/b/part-2.csv": b"age\n3\n", "landing/b/part-3": bytes(range(256)) * 50}

ODD = {
    "landing/x.csv": b"x",
    "landing/X.csv": b"X",
    "landing/\u00e9.csv": b"composed",
    "landing/e\u0301.csv": b"decomposed",
    "landing/a": b"a file",
    "landing/a/b.csv": b"and a folder of the same name",
    "landing/ends in a slash/": b"slash",
    "landing//doubled.csv": b"doubled",
    "landing/#?%2F&lt;+'.csv": b"signs",
    "landing/~tilde.csv": b"tilde",
    "landing/\U0001f600.csv": b"face",
    "landing/" + "l" * (1024 - len("landing/")): b"long",
}


def moved(door: SpoiledHub) -> list[str]:
    """The data that were asked for, without the manifests."""
    return [path for path in door.seen if "edgetrain-manifests" not in path]


def test_a_run_gets_the_files_under_their_names_and_the_hold_out_beside_them(hub: JobHub, tmp_path: Path) -> None:
    hub.put(BLOBS)

    inputs = hub.fetch(tmp_path / "run", hub.snapshot())

    run = tmp_path / "run"
    assert inputs.data == run / "data"
    assert {path.relative_to(run / "data").as_posix() for path in inputs.data.rglob("*") if path.is_file()} == set(
        BLOBS
    )
    assert {name: (inputs.data / name).read_bytes() for name in BLOBS} == BLOBS
    assert inputs.holdout == run / "holdout/holdout.csv"
    assert inputs.holdout.read_bytes() == GOOD
    assert inputs.bytes_moved == inputs.bytes_total == sum(map(len, BLOBS.values())) + len(GOOD)
    assert inputs.left_out == ()
    listed = json.loads(inputs.listing.read_text())
    assert inputs.listing == run / "files.json"
    assert [entry.pop("etag") for entry in listed] == [file.etag for file in inputs.files]
    assert listed == [
        {"name": name, "path": name, "size": len(content), "md5": hashlib.md5(content).hexdigest()}
        for name, content in sorted(BLOBS.items())
    ]


def test_files_are_read_only_and_folders_open_whatever_the_umask_is(hub: JobHub, tmp_path: Path) -> None:
    hub.put(BLOBS)
    before = os.umask(0o077)
    try:
        inputs = hub.fetch(tmp_path / "run", hub.snapshot())
    finally:
        os.umask(before)

    for path in (inputs.data, *inputs.data.rglob("*"), inputs.holdout.parent, inputs.holdout, inputs.listing):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o444), path
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def test_names_that_no_file_system_has_get_others_and_are_listed(hub: JobHub, tmp_path: Path) -> None:
    hub.put(ODD)
    snapshot = hub.snapshot()

    inputs = hub.fetch(tmp_path / "run", snapshot)

    assert {file.name for file in inputs.files} == set(ODD)
    assert {file.name: (inputs.data / file.path).read_bytes() for file in inputs.files} == ODD
    assert sum(path.is_file() for path in inputs.data.rglob("*")) == len(ODD)


def test_a_second_run_moves_nothing(hub: JobHub, door: SpoiledHub, tmp_path: Path) -> None:
    hub.put(BLOBS)
    snapshot = hub.snapshot()
    first = hub.fetch(tmp_path / "one", snapshot)
    door.seen.clear()

    second = hub.fetch(tmp_path / "two", snapshot)

    assert (second.bytes_moved, moved(door)) == (0, [])
    assert second.bytes_total == first.bytes_total
    for file in second.files:
        assert (second.data / file.path).samefile(first.data / file.path)


def test_one_new_file_among_a_thousand_moves_one_file(hub: JobHub, door: SpoiledHub, tmp_path: Path) -> None:
    hub.put({f"landing/part-{number:04}.csv": b"age\n%d\n" % number for number in range(999)})
    first = hub.fetch(tmp_path / "one", hub.snapshot())
    new = {"landing/part-new.csv": b"age\n7\n" * 1000}
    hub.put(new)
    door.seen.clear()

    second = hub.fetch(tmp_path / "two", hub.snapshot())

    assert (len(first.files), len(second.files)) == (999, 1000)
    assert second.bytes_moved == len(new["landing/part-new.csv"])
    assert [path.partition("?")[0].rpartition("/")[2] for path in moved(door)] == ["part-new.csv"]


def test_a_cache_that_is_too_small_keeps_what_it_can(hub: JobHub, tmp_path: Path) -> None:
    hub.put({f"landing/{number}": bytes(1000) for number in range(10)})
    snapshot = hub.snapshot()
    small = Cache(tmp_path / "small", 4_500)

    first = hub.fetch(tmp_path / "one", snapshot, cache=small)
    second = hub.fetch(tmp_path / "two", snapshot, cache=small)

    assert first.bytes_moved == first.bytes_total == 10_000 + len(GOOD)
    assert second.bytes_moved == 6_000
    assert small.used() == 4_000 + len(GOOD)
    assert all((second.data / file.path).stat().st_size == 1000 for file in second.files)


SPOILED = [
    pytest.param(shortened, "sent 6400 of 12800 bytes", id="short"),
    pytest.param(altered, "does not match the MD5", id="altered"),
    pytest.param(html, "the answer is not from the hub's storage", id="a web page"),
    pytest.param(partial(html, status=404), "the answer is not from the hub's storage (404)", id="a page, 404"),
    pytest.param(broken_off, "", id="broken off"),
]
SPOILT = "landing/b/part-3"


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(("spoil", "told"), SPOILED)
def test_a_spoiled_answer_is_asked_for_again(
    hub: JobHub, door: SpoiledHub, tmp_path: Path, spoil: Callable[[Answer], Answer], told: str
) -> None:
    hub.put(BLOBS)
    snapshot = hub.snapshot()
    door.times(SPOILT, spoil, count=2)

    inputs = hub.fetch(tmp_path / "run", snapshot)

    assert (inputs.data / SPOILT).read_bytes() == BLOBS[SPOILT]
    assert door.asked_for(SPOILT) == 3


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize(("spoil", "told"), SPOILED[:-1])
def test_a_hub_that_goes_on_spoiling_is_named_and_nothing_of_it_is_kept(
    hub: JobHub, door: SpoiledHub, tmp_path: Path, spoil: Callable[[Answer], Answer], told: str
) -> None:
    hub.put(BLOBS)
    snapshot = hub.snapshot()
    door.times(SPOILT, spoil, count=100)

    with pytest.raises(HubError) as caught:
        hub.fetch(tmp_path / "run", snapshot)

    assert str(caught.value).startswith(f"{SPOILT}: ")
    assert told in str(caught.value)
    assert str(caught.value).endswith(f"(tried {TRIES} times)")
    assert not (tmp_path / "run/data" / SPOILT).exists()
    assert list((tmp_path / "cache/sessions").iterdir()) == []
    door.spoil = lambda _, answer: answer
    assert hub.fetch(tmp_path / "again", snapshot).bytes_moved >= len(BLOBS[SPOILT])


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("spoil", [shortened, html])
def test_a_spoiled_manifest_is_asked_for_again(
    hub: JobHub, door: SpoiledHub, tmp_path: Path, spoil: Callable[[Answer], Answer]
) -> None:
    hub.put(BLOBS)
    snapshot = hub.snapshot()
    door.times(snapshot.manifest, spoil, count=2)

    assert len(hub.fetch(tmp_path / "run", snapshot).files) == 3
    assert door.asked_for(snapshot.manifest) == 3


def test_a_file_that_changed_meanwhile_is_left_out_and_told(hub: JobHub, tmp_path: Path) -> None:
    hub.put(BLOBS)
    snapshot = hub.snapshot()
    hub.put({PART: b"age\n3\n"})
    hub.delete("landing/b/part-2.csv")

    inputs = hub.fetch(tmp_path / "run", snapshot)

    assert inputs.left_out == (LeftOut("changed", ("landing/b/part-2.csv", PART)),)
    assert [file.name for file in inputs.files] == [SPOILT]
    assert not (inputs.data / PART).exists()
    assert [entry["name"] for entry in json.loads(inputs.listing.read_text())] == [SPOILT]


def test_the_same_bytes_written_again_are_the_same_data(hub: JobHub, tmp_path: Path) -> None:
    hub.put(BLOBS)
    snapshot = hub.snapshot()
    hub.put(BLOBS)

    inputs = hub.fetch(tmp_path / "run", snapshot)

    assert (inputs.left_out, len(inputs.files)) == ((), 3)


def test_what_changed_is_in_the_cache_as_it_was(hub: JobHub, tmp_path: Path) -> None:
    """So that a run which is tried again trains on the same."""
    hub.put(BLOBS)
    snapshot = hub.snapshot()
    hub.fetch(tmp_path / "one", snapshot)
    hub.put({PART: b"age\n3\n"})

    inputs = hub.fetch(tmp_path / "two", snapshot)

    assert (inputs.data / PART).read_bytes() == BLOBS[PART]


def test_a_hold_out_that_changed_ends_the_run(hub: JobHub, tmp_path: Path) -> None:
    hub.put(BLOBS)
    snapshot = hub.snapshot()
    hub.put({HOLDOUT: b"age\n9\n"})

    with pytest.raises(HubError, match=r"holdout/holdout\.csv: the hold-out was changed or removed"):
        hub.fetch(tmp_path / "run", snapshot)


def test_when_every_file_changed_there_is_nothing_to_train_on(hub: JobHub, tmp_path: Path) -> None:
    hub.put({PART: b"age\n1\n"})
    snapshot = hub.snapshot()
    hub.delete(PART)

    with pytest.raises(HubError, match="every file was changed or removed since the snapshot"):
        hub.fetch(tmp_path / "run", snapshot)


def test_a_blob_outside_of_the_sites_prefixes_is_refused_before_anything_is_read(
    hub: JobHub, door: SpoiledHub, tmp_path: Path
) -> None:
    entry = {"name": "payroll/all.csv", "etag": '"0x1"', "size": 1, "md5": None}
    listed = {"container": hub.container, "blobs": [entry], "holdout": entry | {"name": HOLDOUT}}
    name = hub.keep_manifest(listed)

    with pytest.raises(PolicyRefusedError) as caught:
        hub.fetch(tmp_path / "run", name)

    assert caught.value.rule == "pipelines.breast-cancer.prefixes"
    assert moved(door) == []


ENTRY = {"name": PART, "etag": '"0x1"', "size": 1, "md5": None}
HELD_OUT = ENTRY | {"name": HOLDOUT}


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"blobs": [ENTRY], "holdout": HELD_OUT, "container": "another"}, "is about container another"),
        ({"blobs": [ENTRY, HELD_OUT], "holdout": HELD_OUT}, "or the hold-out among the files to train on"),
        ({"blobs": [ENTRY, ENTRY], "holdout": HELD_OUT}, "a file stands twice in it"),
        ({"blobs": [ENTRY | {"size": -1}], "holdout": HELD_OUT}, "not a manifest that this job understands"),
        ({"blobs": [ENTRY | {"size": True}], "holdout": HELD_OUT}, "not a manifest that this job understands"),
        ({"blobs": [ENTRY | {"md5": "../x"}], "holdout": HELD_OUT}, "not a manifest that this job understands"),
        ({"blobs": [ENTRY | {"name": 1}], "holdout": HELD_OUT}, "not a manifest that this job understands"),
        ({"blobs": 1, "holdout": HELD_OUT}, "not a manifest that this job understands"),
        ([], "not a manifest that this job understands"),
    ],
)
def test_a_manifest_that_lists_what_it_must_not_is_refused(
    hub: JobHub, tmp_path: Path, manifest: object, told: str
) -> None:
    name = hub.keep_manifest({"container": hub.container} | manifest if isinstance(manifest, dict) else manifest)

    with pytest.raises(HubError) as caught:
        hub.fetch(tmp_path / "run", name)

    assert told in str(caught.value)


def test_a_manifest_without_files_is_nothing_to_train_on(hub: JobHub, tmp_path: Path) -> None:
    name = hub.keep_manifest({"container": hub.container, "blobs": [], "holdout": HELD_OUT})

    with pytest.raises(DataError, match="no file to train on"):
        hub.fetch(tmp_path / "run", name)


def test_credentials_that_cannot_be_used_are_named(hub: JobHub, tmp_path: Path) -> None:
    hub.put(BLOBS)
    snapshot = hub.snapshot()
    path = hub.sites / "factory.json"

    hub.give_credentials(hub.vm, mode=0o644)
    with pytest.raises(HubError, match=r"factory\.json can be read by others; run chmod 600"):
        hub.fetch(tmp_path / "a", snapshot)
    hub.give_credentials("AccountName=;nonsense")
    with pytest.raises(HubError, match="the connection string of this site on the VM is malformed"):
        hub.fetch(tmp_path / "b", snapshot)
    path.write_text("[]")
    with pytest.raises(HubError, match=r"factory\.json is not valid JSON"):
        hub.fetch(tmp_path / "c", snapshot)
    path.unlink()
    with pytest.raises(HubError, match=r"factory\.json cannot be read \(No such file or directory\)"):
        hub.fetch(tmp_path / "d", snapshot)


def test_a_run_that_is_interrupted_moves_no_more_and_leaves_nothing_in_the_cache(
    hub: JobHub, door: SpoiledHub, tmp_path: Path
) -> None:
    hub.put({f"landing/{number:03}": bytes(10) for number in range(200)})
    snapshot = hub.snapshot()

    def cancelled(line: str) -> None:
        raise KeyboardInterrupt(line)

    hub.said = type("Said", (list,), {"append": lambda _, line: cancelled(line)})()
    door.seen.clear()
    with pytest.raises(KeyboardInterrupt):
        hub.fetch(tmp_path / "run", snapshot)

    assert len(moved(door)) <= 32
    assert list((tmp_path / "cache/sessions").iterdir()) == []
