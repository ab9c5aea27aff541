"""Frames around commands, run by a real shell."""

import subprocess

import pytest

from shared.clients.ssh_frames import Frame, NotBegunError

COMMAND = ("sh", "-c", 'cat; printf "%s" "$1"; echo "it broke" >&2; exit 7', "sh", "it's; $(x) `y` !z\n'")


def ran(frame: Frame, stdin: bytes = b"", *, before: str = "") -> tuple[bytes, bytes]:
    """What a shell writes that is given the frame's line, and says ``before`` by itself."""
    done = subprocess.run(
        ["sh", "-c", before + frame.line], input=frame.script + stdin, capture_output=True, check=False
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("before", ["", "echo Welcome;", "printf 'no line end'; echo warning >&2;", "set -x;"])
def test_only_what_the_command_writes_is_its_answer(before: str) -> None:
    frame = Frame(COMMAND)
    stdout, stderr = ran(frame, b"a\0b\n\n", before=before)
    assert frame.answer(stdout) == (b"a\0b\n\nit's; $(x) `y` !z\n'", 7)
    assert frame.complaints(stderr) == "it broke\n"


def test_a_large_answer_and_a_large_input() -> None:
    frame = Frame(("cat",))
    data = bytes(range(256)) * 20_000
    assert frame.answer(ran(frame, data)[0]) == (data, 0)


def test_an_answer_that_was_cut_anywhere_is_noticed() -> None:
    frame = Frame(("echo", "held"))
    stdout, _ = ran(frame)
    assert frame.answer(stdout) == (b"held\n", 0)
    for end in range(len(frame.mark) + 1, len(stdout)):
        with pytest.raises(EOFError, match="cut"):
            frame.answer(stdout[:end])


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (b"", ""),
        (b"This account is currently\nnot available.\n", "This account is currently not available."),
        (b"\x1b[31mforged\x1b[0m \xff", "?[31mforged?[0m \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_shell_that_did_not_start_the_command_is_known_by_what_it_printed(printed: bytes, expected: str) -> None:
    with pytest.raises(NotBegunError) as caught:
        Frame(("true",)).answer(printed)
    assert caught.value.said == expected


def test_the_marks_of_another_command_are_none() -> None:
    stdout, _ = ran(Frame(("true",)))
    with pytest.raises(NotBegunError):
        Frame(("true",)).answer(stdout)
    assert Frame(("true",)).begun(stdout) is None


def test_the_line_holds_nothing_of_the_command() -> None:
    frame = Frame(("echo", "secret'\"$(x)\n"))
    assert "secret" not in frame.line
    assert frame.line.count("'") == 2
    assert "\n" not in frame.line
