"""Generated input that nobody can use, the same for the same seed: values, events, messages and HTTP requests."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

TEXTS = (
    "",
    " ",
    "\x00",
    "null",
    "../../etc/passwd",
    "%00",
    "%zz",
    "\uff41\uff42\uff43",
    "Ω≈ç√∫",
    "\u202e",
    "'; DROP TABLE runs; --",
    "${jndi:x}",
    "<script>",
    "a" * 300,
    "2026-13-45T99:99:99Z",
    "-1",
    "1e999",
    "\ud800",
)
NUMBERS = (0, -1, 2**31, 2**63, 10**400, -0.0, 1e308, float("nan"), float("inf"))


def value(chance: random.Random, depth: int = 3) -> Any:
    """Some JSON value, also of the kinds that only Python calls JSON."""
    kind = chance.randrange(8 if depth else 6)
    if kind < 2:
        return chance.choice(TEXTS)
    if kind == 2:
        return chance.choice(NUMBERS)
    if kind < 5:
        return chance.choice((None, True, False))
    if kind == 5:
        return "".join(chr(chance.randrange(0x20, 0x2FFF)) for _ in range(chance.randrange(40)))
    if kind == 6:
        return [value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(TEXTS): value(chance, depth - 1) for _ in range(chance.randrange(4))}


def body(chance: random.Random) -> bytes:
    """A body that is no object with the fields that are known, and often no JSON at all."""
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(1, 60)) + b"\xff"
    if kind == 1:
        return b"[" * chance.randrange(1, 20_000)
    if kind == 2:
        return json.dumps([value(chance)]).encode()
    if kind == 3:
        return chance.choice(
            (
                b'{"schema": 1, "schema": 1}',
                '{"schema": 1}'.encode(chance.choice(("utf-16", "utf-32", "utf-16-le"))),
                b'\xef\xbb\xbf{"unknown": ' + b"9" * 5000 + b"}",
                b"[" * 150 + b"]" * 150,
                b'{"parameters": {"a": "\\ud800"}}',
                b'{"parameters": {"a": NaN}}',
            )
        )
    return json.dumps({f"unknown-{chance.randrange(9)}": value(chance)}).encode()


def event(chance: random.Random, good: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A blob event with one field that makes it useless. Its id tells it from others, unless that is what is bad."""
    bad = dict(good) | {"id": f"nonsense-{number}", "topic": ""}
    field_name = chance.choice(("eventType", "subject", "data", "contentLength", "url", "id", "eTag", "eventTime"))
    other = value(chance)
    if field_name in {"contentLength", "url", "eTag"}:
        wrong = {
            "contentLength": chance.choice(("many", -7, 1.5, 2**70, [], {})),
            "url": chance.choice((None, 7, "", "no address", "http://", ["http://a/b"])),
            "eTag": chance.choice((7, ["x"], {"a": 1}, "e" * 500)),
        }
        data = {"url": "https://hub.blob.core.windows.net/c/b", **good["data"]}
        bad["data"] = data | {field_name: wrong[field_name], "nonsense": number}
    elif field_name == "data":
        bad["data"] = other if not isinstance(other, dict) else [other, number]
    elif field_name == "eventTime":
        none_such = ("2026-02-30T10:00:00Z", "2026-05-01T10:00:00+25:00", "0001-01-01T00:00:00+09:00")
        times: tuple[Any, ...] = ("", "yesterday", 7, None, [], *none_such)
        bad["eventTime"] = chance.choice(times)
    elif field_name == "id":
        bad |= {"id": chance.choice(("", " ", "i" * 300)), "subject": f"/nowhere/{number}"}
    else:
        bad[field_name] = other if isinstance(other, str) else f"nonsense {number}"
    found: dict[str, Any] = json.loads(json.dumps(bad), parse_constant=str)  # JSON has no infinity
    return found


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request that must be refused."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def calls(chance: random.Random, pipeline: str) -> Iterator[Call]:
    """Requests to every operation, each with something wrong; endless."""
    while True:
        odd = chance.choice(TEXTS).encode("utf-8", "replace").decode()
        yield chance.choice(
            (
                Call("POST", f"/api/pipelines/{pipeline}/runs", body=body(chance)),
                Call("POST", f"/api/pipelines/no-such-{chance.randrange(99)}/runs", body=b"{}"),
                Call("POST", f"/api/pipelines/{pipeline}/release", body=body(chance)),
                Call("POST", f"/api/pipelines/{pipeline}/runs", headers={"Idempotency-Key": "k" * 300}, body=b"{}"),
                Call("GET", "/api/runs", {"limit": chance.choice(("0", "-1", "many", "1e9", "", odd or "x"))}),
                Call("GET", "/api/runs", {"since": odd or "yesterday"}),
                Call("GET", "/api/runs", {"outcome": odd or "good"}),
                Call("GET", "/api/runs", {"pipeline": odd or "none"}),
                Call("GET", "/api/runs", {"continuation": f"!{odd}"}),
                Call("GET", f"/api/runs/no-such-{chance.randrange(10**6)}"),
                Call("GET", f"/api/pipelines/{pipeline}/arrivals", {"continuation": f"~{odd}"}),
                Call("GET", f"/api/pipelines/{pipeline}/arrivals", {"limit": odd or "x"}),
                Call("GET", "/api/arrivals", {"kind": odd or "x"}),
                Call("GET", "/api/why", {"pipeline": pipeline}),
                Call("GET", "/api/why", {"blob": odd or "x"}),
                Call("GET", "/api/why", {"pipeline": odd or "x", "blob": "landing/part-1.csv"}),
                Call("GET", "/api/pipelines", {f"unknown-{chance.randrange(9)}": "1"}),
            )
        )
