from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from activities.read_champion import read_champion
from activities.record_run import record_run
from shared.messages import Champion, ChampionQuery, Done, Outcome, RunRecord
from tests.support.arrivals import a_run_record
from tests.support.workflow import START


@dataclass
class Book:
    """Both collaborators; keeps what happened in order."""

    entries: list[object] = field(default_factory=list)
    crowned: dict[str, Champion] = field(default_factory=dict)

    def record_run(self, record: RunRecord) -> None:
        self.entries.append(record)

    def crown(self, champion: Champion, *, since: datetime) -> None:
        self.entries.append((champion, since))
        self.crowned[champion.pipeline] = champion

    def champion(self, pipeline: str) -> Champion:
        return self.crowned.get(pipeline, Champion(pipeline=pipeline))


def test_a_promoted_run_is_crowned_before_its_record_says_so() -> None:
    book = Book()
    record = a_run_record(
        outcome=Outcome.PROMOTED,
        ended_at=START + timedelta(minutes=3),
        model="breast-cancer",
        version="2",
        image="registry/models/breast-cancer@sha256:00",
        metrics={"accuracy": 0.97},
    )

    assert record_run(record, runs=book, champions=book) == Done()

    champion = Champion(
        pipeline="breast-cancer",
        run_id=record.run_id,
        model="breast-cancer",
        version="2",
        image="registry/models/breast-cancer@sha256:00",
        metrics={"accuracy": 0.97},
    )
    assert book.entries == [(champion, START + timedelta(minutes=3)), record]
    assert read_champion(ChampionQuery(pipeline="breast-cancer"), champions=book) == champion


@pytest.mark.parametrize("outcome", [None, *(set(Outcome) - {Outcome.PROMOTED})])
def test_any_other_run_leaves_the_champion(outcome: Outcome | None) -> None:
    book = Book()
    record = a_run_record(outcome=outcome)
    record_run(record, runs=book, champions=book)
    assert book.entries == [record]
    assert read_champion(ChampionQuery(pipeline="breast-cancer"), champions=book).run_id is None
