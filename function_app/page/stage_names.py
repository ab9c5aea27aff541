"""The stages of a run in the reader's words."""

from function_app.page.texts import Words
from shared.messages import Stage


def stage_name(stage: str, words: Words) -> str:
    """What it is called; a stage of another version of the app keeps the name that it has there."""
    names: dict[str, str] = {
        Stage.ACCEPTED: words.text("accepted"),
        Stage.WAITING: words.text("waiting for the machine"),
        Stage.TRAINING: words.text("training"),
        Stage.JUDGING: words.text("being judged"),
        Stage.DELIVERING: words.text("being registered and packed"),
        Stage.ROLLING_OUT: words.text("being rolled out"),
        Stage.RECORDING: words.text("being recorded"),
        Stage.DONE: words.text("done"),
    }
    return names.get(stage, stage)
