from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from shared.clients.ledger import Ledger
from shared.messages import Champion
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
