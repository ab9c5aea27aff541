"""Which app a command talks to, and where keys are kept."""

import json
import stat
from pathlib import Path

import pytest

from tests.integration.command_line.conftest import KEY, edgetrain
from tests.support import app_answers as app
from tests.support.answering import Answering, Reply


@pytest.fixture(autouse=True)
def _answers(served: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    served.answer = app.routes({"GET /api/pipelines": app.answered(app.every_pipeline())})
    monkeypatch.delenv("EDGETRAIN_URL")
    monkeypatch.delenv("EDGETRAIN_KEY")


def key_file(folder: Path, mode: int = 0o600) -> str:
    file = folder / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(mode)
    return str(file)


def test_login_keeps_a_key_that_works_for_its_owner_alone(served: Answering, tmp_path: Path) -> None:
    ended = edgetrain("login", "--url", served.url, "--profile", "plant", "--key-file", key_file(tmp_path))
    kept = tmp_path / ".config" / "edgetrain" / "profiles.json"

    assert ended.status == 0
    assert KEY not in ended.out + ended.err
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert edgetrain("pipelines").status == 0
    assert served.sent[-1][0]["x-functions-key"] == KEY


def test_login_with_a_key_on_the_input(served: Answering) -> None:
    assert edgetrain("login", "--url", served.url, "--key-file", "-", given=f"{KEY}\n").status == 0
    assert json.loads(edgetrain("login", "--list", "--json").out)["profiles"] == [
        {"profile": "default", "url": served.url, "last": True}
    ]


def test_a_key_that_is_refused_is_not_kept(served: Answering, tmp_path: Path) -> None:
    served.answer = lambda _method, _path: Reply(status=401, content_type="")

    assert edgetrain("login", "--url", served.url, "--key-file", key_file(tmp_path)).status == 1
    assert not (tmp_path / ".config").exists()


def test_login_asks_nobody_who_is_not_there(served: Answering) -> None:
    assert edgetrain("login", "--url", served.url).status == 2


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_files_with_keys_that_others_can_read_are_refused(served: Answering, tmp_path: Path, mode: int) -> None:
    assert edgetrain("login", "--url", served.url, "--key-file", key_file(tmp_path, mode)).status == 2
    edgetrain("login", "--url", served.url, "--key-file", key_file(tmp_path))
    kept = tmp_path / ".config" / "edgetrain" / "profiles.json"
    kept.chmod(mode)

    ended = edgetrain("pipelines")

    assert ended.status == 2
    assert "chmod 600" in ended.err


def test_logout_forgets_the_key(served: Answering, tmp_path: Path) -> None:
    edgetrain("login", "--url", served.url, "--key-file", key_file(tmp_path))

    assert edgetrain("logout").status == 0
    assert KEY not in (tmp_path / ".config" / "edgetrain" / "profiles.json").read_text()
    assert edgetrain("pipelines").status == 2
    assert edgetrain("logout").status == 2


def test_the_local_stack_of_the_folder_comes_before_the_last_login(served: Answering, tmp_path: Path) -> None:
    edgetrain("login", "--url", served.url, "--key-file", key_file(tmp_path))
    local = tmp_path / ".local"
    local.mkdir()
    (local / "endpoints.json").write_text(
        json.dumps({"functions_host": {"url": served.url, "function_key": "of-the-stack"}})
    )

    edgetrain("pipelines")
    assert served.sent[-1][0]["x-functions-key"] == "of-the-stack"
    edgetrain("pipelines", "--profile", "default")
    assert served.sent[-1][0]["x-functions-key"] == KEY


@pytest.mark.parametrize("content", ["", "[]", "{", '{"functions_host": 3}', '{"functions_host": {"url": ""}}'])
def test_broken_endpoints_are_no_local_stack(served: Answering, tmp_path: Path, content: str) -> None:
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "endpoints.json").write_text(content)

    assert edgetrain("pipelines").status == 2


@pytest.mark.parametrize("content", ["", "[]", "{", '{"profiles": {"x": 3}}'])
def test_broken_profiles_are_said_with_the_remedy(served: Answering, tmp_path: Path, content: str) -> None:
    folder = tmp_path / ".config" / "edgetrain"
    folder.mkdir(parents=True)
    (folder / "profiles.json").write_text(content)
    (folder / "profiles.json").chmod(0o600)

    ended = edgetrain("pipelines")

    assert ended.status == 2
    assert "profiles.json" in ended.err


def test_an_unknown_profile_names_those_that_there_are(served: Answering, tmp_path: Path) -> None:
    edgetrain("login", "--url", served.url, "--profile", "plant", "--key-file", key_file(tmp_path))

    ended = edgetrain("pipelines", "--profile", "other")

    assert ended.status == 2
    assert "plant" in ended.err
