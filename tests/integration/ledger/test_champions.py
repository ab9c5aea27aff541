from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from shared.clients.ledger import Ledger
from shared.messages import Best, Champion
from tests.support.workflow import START

PIPELINE = "breast-cancer"


def _champion(run_id: str) -> Champion:
    return Champion(pipeline=PIPELINE, run_id=run_id, model="m", version="1", image="i", metrics={"accuracy": 0.9})


def test_at_first_there_is_none(ledger: Ledger) -> None:
    assert ledger.champions.champion(PIPELINE) == Champion(pipeline=PIPELINE)


def test_a_newer_champion_takes_over_and_a_late_repeat_of_an_older_one_does_not(ledger: Ledger) -> None:
    ledger.champions.crown(_champion("first"), since=START)
    ledger.champions.crown(_champion("first"), since=START)
    assert ledger.champions.champion(PIPELINE) == _champion("first")

    ledger.champions.crown(_champion("second"), since=START + timedelta(minutes=1))
    ledger.champions.crown(_champion("first"), since=START)
    assert ledger.champions.champion(PIPELINE) == _champion("second")


def test_the_best_numbers_outlast_the_champions_that_reached_them(ledger: Ledger) -> None:
    best = Best(run_id="first", metric="m", higher_is_better=True, value=0.9, holdout="rows", evaluator="code")
    ledger.champions.note(PIPELINE, [best])  # nobody serves yet
    ledger.champions.crown(_champion("first"), since=START, measured=[best])
    ledger.champions.crown(_champion("second"), since=START + timedelta(minutes=1), measured=[replace(best, value=0.8)])
    other = replace(best, holdout="other rows", run_id="second")
    ledger.champions.note(PIPELINE, [other])
    ledger.champions.note(PIPELINE, [other])

    champion = ledger.champions.champion(PIPELINE)
    assert (champion.run_id, champion.bests) == ("second", (other, best))

    ledger.champions.crown(_champion("third"), since=START + timedelta(minutes=2))
    assert ledger.champions.champion(PIPELINE) == replace(_champion("third"), bests=(other, best))


def test_pipelines_have_champions_of_their_own(ledger: Ledger) -> None:
    ledger.champions.crown(_champion("first"), since=START)
    assert ledger.champions.champion("digits").run_id is None


def test_whoever_races_the_newest_wins(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda n: ledger.champions.crown(_champion(f"run-{n}"), since=START + timedelta(seconds=n)), range(4)
            )
        )
    assert ledger.champions.champion(PIPELINE).run_id == "run-3"
