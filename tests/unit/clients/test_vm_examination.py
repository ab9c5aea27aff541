"""What a VM prints is read as facts, whatever it prints."""

from hypothesis import given
from hypothesis import strategies as st

from shared.clients.vm_examination import _engine, _Facts, _socket


def test_lines_become_facts() -> None:
    facts = _Facts(b"clock=12\nslot=serving/a.json\nslot=serving/b.json\nnonsense\n")

    assert facts.number("clock") == 12
    assert facts.all("slot") == ["serving/a.json", "serving/b.json"]
    assert facts.text("nonsense") == ""
    assert facts.number("nothing") == -1


def test_the_first_word_counts() -> None:
    assert _Facts(b"uid=1000\nuid=0\n").number("uid") == 1000


def test_an_engine_is_read() -> None:
    line = b"engine=podman\nengine-status=0\nengine-info=4.9.3|true|/run/c|/var/c|v2|cpu,memory,pids,|1,65536,\n"

    engine = _engine(_Facts(line))

    assert (engine.name, engine.version, engine.rootless, engine.ids) == ("podman", "4.9.3", True, 65_537)
    assert engine.controllers == ("cpu", "memory", "pids")


@given(st.binary(max_size=2_000))
def test_anything_is_bounded_and_safe_to_show(printed: bytes) -> None:
    facts = _Facts(printed + b"\nengine-info=\x1b[2J\xff|\nuid=99999999999999999999999\nsocket=" + b"x" * 100_000)

    assert facts.text("engine-info").isprintable()
    assert len(facts.text("socket")) <= 400
    assert _engine(facts).version == ""
    assert len(_socket(facts.text("socket"))) == 3
    assert facts.number("uid") == -1 or b"uid=" in printed
