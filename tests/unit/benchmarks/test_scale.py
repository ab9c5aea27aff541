"""The measurement of many pipelines, with few: nothing costs more than its share."""

from benchmarks.scale import pipelines, work


def test_four_times_the_pipelines_cost_at_most_four_times_as_much() -> None:
    few, many = pipelines(2, sites=1), pipelines(8, sites=4)

    assert 0 < work(many.hour) <= 4 * work(few.hour)
    assert 0 < work(many.longest_pass) <= 4 * work(few.longest_pass)
    assert work(many.run) == work(few.run) > 0, "a run costs the same, however many others there are"
