"""What the story says must hold; when something does not, the demo fails and says what."""


class StoryError(Exception):
    """Something did not go as the story says."""


def expect(held: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise :class:`StoryError` with the text unless it held."""
    if not held:
        raise StoryError(otherwise)
