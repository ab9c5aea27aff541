from pathlib import Path

from site_agent.job.container_logs import last_lines

STAMP = "2026-11-28T20:19:09.023021012+00:00"


def test_parts_of_a_line_are_joined_for_each_stream(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        f"{STAMP} stdout P one \n{STAMP} stderr F other\n{STAMP} stdout F line\n{STAMP} stdout F \n"
        f"not a line\n{STAMP} stderr P cut"
    )

    assert last_lines(log) == ["other", "one line", "", "cut"]


def test_a_log_of_any_bytes_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\xff\xfe\x00" * 100_000)

    assert last_lines(log) == []
    assert last_lines(tmp_path / "none") == []
