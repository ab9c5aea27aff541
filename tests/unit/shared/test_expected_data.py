"""``expect`` in a pipeline's file: each error names the field and what to write instead."""

from datetime import time, timedelta

import pytest
import yaml

from shared.errors import Code, PermanentError
from shared.messages import Every, Expecting
from shared.pipelines import Pipeline, parse_pipeline
from tests.support.arrivals import a_pipeline

_EXAMPLE = 'must be none, or a mapping such as {every: day, by: "06:00"}'
_A_TIME = 'must be a time of day in quotes, such as "06:00" or "18:30"'
_A_ZONE = "write its name in the tz database, such as Europe/Amsterdam, or UTC"
_A_DAY = "must be 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday' or 'sunday'"


def parsed(expect: str) -> Pipeline:
    document = a_pipeline().model_dump(mode="json", exclude={"expect"}, exclude_none=True)
    return parse_pipeline(f"{yaml.safe_dump(document)}expect: {expect}\n", source="churn.yaml")


@pytest.mark.parametrize(
    ("expect", "field", "remedy"),
    [
        ("daily", "expect", _EXAMPLE),
        ("[day]", "expect", _EXAMPLE),
        ("no", "expect", _EXAMPLE),
        ("{every: daily}", "expect.every", "must be 'hour', 'day', 'weekday', 'week' or 'none'"),
        ("{every: day, by: noon}", "expect.by", _A_TIME),
        ('{every: day, by: "6:00"}', "expect.by", _A_TIME),
        ('{every: day, by: "24:00"}', "expect.by", _A_TIME),
        ("{every: day, by: 6.30}", "expect.by", _A_TIME),
        ("{every: day, by: 45}", "expect.by", _A_TIME),
        ('{every: hour, by: "06:00"}', "expect", "by: is a time of day, and every: hour has none; remove it"),
        ('{by: "06:00"}', "expect", "by: goes with every; write every: day, or remove it"),
        ("{files: 3, day: friday}", "expect", "day, files: go with every; write every: day, or remove it"),
        ("{every: none, files: 2}", "expect", "files: goes with every; write every: day, or remove it"),
        ("{every: day, day: friday}", "expect", "day: goes with every: week only; remove it, or write every: week"),
        ("{every: week, day: Friday}", "expect.day", _A_DAY),
        ("{every: week, day: 5}", "expect.day", _A_DAY),
        ("{every: day, zone: Amsterdam}", "expect.zone", "write Europe/Amsterdam"),
        ("{every: day, zone: new york}", "expect.zone", "write America/New_York"),
        ("{every: day, zone: CEST}", "expect.zone", _A_ZONE),
        ('{every: day, zone: ""}', "expect.zone", _A_ZONE),
        ("{every: day, zone: Europe}", "expect.zone", _A_ZONE),
        ("{every: day, zone: ../../etc/passwd}", "expect.zone", _A_ZONE),
        (f"{{every: day, zone: {'x' * 101}}}", "expect.zone", "must have at most 100 characters"),
        ("{every: day, zone: 1}", "expect.zone", "must be a text"),
        ("{every: day, files: 0}", "expect.files", "must be greater than or equal to 1"),
        ("{every: day, files: 1000001}", "expect.files", "must be less than or equal to 1000000"),
        ("{every: day, files: many}", "expect.files", "must be a whole number"),
        ("{every: day, grace_minutes: -1}", "expect.grace_minutes", "must be greater than or equal to 0"),
        ("{every: day, grace_minutes: 10081}", "expect.grace_minutes", "must be less than or equal to 10080"),
        ("{every: day, grace: 5}", "expect.grace", "correct its name, or remove it"),
    ],
)
def test_an_error_names_the_field_and_what_to_write(expect: str, field: str, remedy: str) -> None:
    with pytest.raises(PermanentError) as refused:
        parsed(expect)
    assert refused.value.code is Code.BAD_PIPELINE
    assert refused.value.reason.startswith(f"churn.yaml: {field}: ")
    assert remedy in refused.value.reason


@pytest.mark.parametrize(
    ("expect", "meant"),
    [
        ("", Expecting()),
        ("{}", Expecting()),
        ("none", Expecting(every=Every.NONE)),
        ("{zone: Europe/Amsterdam}", Expecting(zone="Europe/Amsterdam")),
        ("{grace_minutes: 10080}", Expecting(grace=timedelta(days=7))),
        ("{every: hour}", Expecting(every=Every.HOUR)),
        ("{every: day, by: 06:00}", Expecting(every=Every.DAY, by=time(6))),
        ("{every: day, by: 18:30}", Expecting(every=Every.DAY, by=time(18, 30))),  # a number to YAML
        ("{every: weekday, files: 3}", Expecting(every=Every.WEEKDAY, files=3)),
        ("{every: week, day: friday}", Expecting(every=Every.WEEK, on=4)),
        ("{every: week}", Expecting(every=Every.WEEK, on=6)),
    ],
)
def test_what_the_file_says_is_what_is_expected(expect: str, meant: Expecting) -> None:
    assert parsed(expect).expecting == meant
