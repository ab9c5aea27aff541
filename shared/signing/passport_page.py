"""A passport as one HTML page without anything from elsewhere: tables made from the document, and the file inside."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from shared.signing.passports import day_and_time, passport_file

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1b1b}"
    "h1{font-size:1.5rem}h2{font-size:1.1rem;margin:1.6rem 0 .3rem}table{border-collapse:collapse;width:100%}"
    "th,td{border-bottom:1px solid #ddd;padding:.25rem .5rem;text-align:left;vertical-align:top}th{width:14rem}"
    "code{word-break:break-all;font-size:.85em}"
)


def passport_page(document: Mapping[str, Any], bundle: bytes) -> bytes:
    """The page of a document; its bundle lies in it, so that the page can be verified as well."""
    # What is inside must not end the element that it lies in.
    inside = passport_file(document, bundle).decode().strip().replace("<", "\\u003c")
    title = f"{_shown(document.get('model'))} {_shown(document.get('version'))}"
    sections = "".join(f"<h2>{heading}</h2><table>{_rows(rows)}</table>" for heading, rows in _sections(document))
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Passport of {title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>Passport of {title}</h1>"
        "<p>This page is worth what its signature is worth: <code>edgetrain passport verify FILE --key KEY</code>.</p>"
        f'{sections}<script type="application/json" id="passport">{inside}</script></body></html>\n'
    )
    return page.encode()


_Rows = Iterable[tuple[str, Any]]


def _sections(document: Mapping[str, Any]) -> list[tuple[str, _Rows]]:
    run, data, code, image = (_part(document, name) for name in ("run", "data", "code", "image"))
    verdict, receipt = _part(document, "verdict"), _part(document, "receipt")
    targets = document.get("targets")
    return [
        (
            "Run",
            [
                ("Pipeline", document.get("pipeline")),
                ("Run", run.get("run_id")),
                ("Cause", run.get("cause")),
                ("Asked for", _moment(run.get("requested_at"))),
                ("Ended", _moment(run.get("ended_at"))),
                ("Parameters", run.get("parameters")),
                ("Fingerprint", run.get("fingerprint")),
            ],
        ),
        (
            "Data and code",
            [
                ("Files", data.get("files")),
                ("Data", data.get("snapshot_digest")),
                ("Hold-out", data.get("holdout_digest")),
                ("Left out", data.get("left_out")),
                ("Code", code.get("digest")),
                ("Evaluation", code.get("evaluator_digest")),
            ],
        ),
        ("Metrics", sorted(_part(document, "metrics").items())),
        ("Verdict", [(_words(name), value) for name, value in sorted(verdict.items())]),
        ("Image", [(_words(name), value) for name, value in sorted(image.items())]),
        ("What left the site", [(_words(name), value) for name, value in sorted(receipt.items())]),
        (
            "Targets",
            [
                (str(target.get("target", "")), {name: value for name, value in target.items() if name != "target"})
                for target in (targets if isinstance(targets, list) else [])
                if isinstance(target, dict)
            ],
        ),
    ]


def _rows(rows: _Rows) -> str:
    return "".join(f"<tr><th>{_shown(name)}</th><td>{_cell(value)}</td></tr>" for name, value in rows)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{_shown(_words(name))}: {_cell(inner)}" for name, inner in sorted(value.items()))
    if isinstance(value, list):
        return "<br>".join(_cell(inner) for inner in value)
    text = _shown(value)
    return f"<code>{text}</code>" if isinstance(value, str) and len(value) > 40 and " " not in value else text


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(str(value))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _moment(value: Any) -> str:
    try:
        return day_and_time(value if isinstance(value, str) else None)
    except ValueError:
        return str(value)


def _part(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}
