"""Sentences of the page that are found by the catalogues here, and said in the reader's language where he sees them."""


def _(message: str) -> str:
    """The sentence, for the catalogues."""
    return message
