"""Names for sets of pinned libraries. Pure."""

import hashlib


def environment_key(*texts: str) -> str:
    """The name of an environment that holds what these lock files pin: 16 hex digits.

    It is the tag of the dependency image that has them. Line endings do not count, so that a checkout on Windows gives
    the same key.
    """
    digest = hashlib.sha256()
    for text in texts:
        body = "\n".join(text.splitlines()).encode()
        digest.update(len(body).to_bytes(8, "big"))  # so that moving a line from one file to the next is a change
        digest.update(body)
    return digest.hexdigest()[:16]
