"""The measure of memory that the benchmarks use sees what a process uses, and nothing of its parent."""

from benchmarks import peaks


def test_a_peak_is_the_processs_own() -> None:
    peaks.check()
