"""Keep secrets out of findings, whatever an error's text may hold."""

import re
from collections.abc import Iterable
from typing import Final

from shared.values.texts import shortened, without_queries

LONGEST: Final = 600
_LEAST: Final = 6  # a shorter text is no secret, and hiding it would garble sentences
_FIELD: Final = re.compile(r"(?i)\b(AccountKey|SharedAccessKey|SharedAccessSignature|sig)=([^;&\s\"']+)")
_INSTEAD: Final = "[hidden]"


class Hidden:
    """Makes texts safe to show: one line of bounded length, in which none of these secrets stands."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        parts = {part for secret in secrets for part in _parts(secret)}
        self._secrets = sorted(parts, key=len, reverse=True)

    def __call__(self, text: object) -> str:
        """The text, safe to show."""
        said = _FIELD.sub(rf"\1={_INSTEAD}", without_queries(text))
        for secret in self._secrets:
            said = said.replace(secret, _INSTEAD)
        return shortened(said, LONGEST)


def _parts(secret: str) -> Iterable[str]:
    """The secret, the lines of a longer one, and the values of a connection string's secret fields."""
    lines = secret.replace("\\n", "\n").splitlines()
    values = [value for _, value in _FIELD.findall(secret)]
    found = (part.strip() for part in (secret, *(line for line in lines if len(line) >= 16), *values))
    return [part for part in found if len(part) >= _LEAST]
