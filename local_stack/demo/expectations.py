"""Assertions of the demo; when one fails, the demo stops and says what."""


class StoryError(Exception):
    """Something did not go as the story says."""


def expect(held: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise :class:`StoryError` with the text unless it held."""
    if not held:
        raise StoryError(otherwise)
