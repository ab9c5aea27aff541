import json
import stat
from pathlib import Path

import pytest

from local_stack.functions_host.keys import ANYONE, DURABLE_KEY, MASTER_ONLY, Access, KeyFileError, KeyRing, Level

FUNCTION = Access(Level.FUNCTION, "Show")
DURABLE = Access(Level.SYSTEM, DURABLE_KEY)


def ring(path: Path) -> KeyRing:
    return KeyRing.load_or_create(path / "keys.json", ["Show", "other"])


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    first, second = ring(tmp_path), ring(tmp_path)

    assert first == second
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert len(first.master) >= 40
    assert first.master not in repr(first)


def test_given_keys_are_kept_and_missing_ones_added(tmp_path: Path) -> None:
    given = {"master": "m", "functions": {"Show": {"ci": "s"}}, "system": {"blobs_extension": "b"}}
    (tmp_path / "keys.json").write_text(json.dumps(given), encoding="utf-8")

    keys = ring(tmp_path)

    assert keys.master == "m"
    assert keys.functions["show"] == {"ci": "s"}
    assert keys.functions["other"]["default"]
    assert set(keys.system) == {"blobs_extension", "durabletask_extension", "eventgrid_extension"}
    assert json.loads((tmp_path / "keys.json").read_text(encoding="utf-8")) == keys.as_json()


@pytest.mark.parametrize("text", ["{", "[]", '{"host": []}'])
def test_a_key_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text, encoding="utf-8")

    with pytest.raises(KeyFileError):
        ring(tmp_path)


def test_each_key_opens_what_it_should_and_nothing_else(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    host, own = keys.host["default"], keys.functions["show"]["default"]
    foreign, system = keys.functions["other"]["default"], keys.system[DURABLE_KEY]
    candidates = {"master": keys.master, "host": host, "own": own, "foreign": foreign, "system": system, "none": None}

    def openers(access: Access) -> set[str]:
        return {name for name, key in candidates.items() if keys.opens(access, key)}

    assert openers(ANYONE) == set(candidates)
    assert openers(FUNCTION) == {"master", "host", "own"}
    assert openers(DURABLE) == {"master", "system"}
    assert openers(MASTER_ONLY) == {"master"}
    assert openers(Access(Level.SYSTEM, "unheard_of")) == {"master"}
    assert not keys.opens(FUNCTION, "käse")
