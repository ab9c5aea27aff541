from benchmarks.run_bill import run


def test_a_run_and_an_idle_hour_cost_no_more_than_their_goals() -> None:
    over = [f"{row.what}: {row.ours}, {row.baseline}" for row in run() if row.ratio is None or row.ratio > 1]

    assert not over
