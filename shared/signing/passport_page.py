"""A passport as one HTML page without anything from elsewhere: tables made from the document, and the file inside.

Whoever verifies a page makes it anew from the document in it, in each layout that has ever been issued. So a layout
stays as it is, to the byte; a change of it is a new one.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from string import Template
from typing import Any, Final

from shared.signing.passports import day_and_time, passport_file
from shared.values.texts import one_line

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}"
    "h1{font-size:1.5rem}h2{font-size:1.1rem;margin:1.6rem 0 .3rem}h1,p,th,td{overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%;table-layout:fixed}"
    "th,td{border-bottom:1px solid #ccc;padding:.25rem .5rem;text-align:start;vertical-align:top}th{width:30%}"
    "code{font-size:.9em}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#555}}"
)
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}';"
    " base-uri 'none'; form-action 'none'"
)
POLICY: Final = f"{_POLICY}; frame-ancestors 'none'"
"""The page's content security policy. It lies in the page as well, for whoever saves it, but for what only a header
can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """``text``: how a text of the document is written."""

    page: Template
    section: Template
    row: Template
    text: Callable[[str], str]


_INSIDE: Final = '<script type="application/json" id="passport">$inside</script></body></html>\n'
_WORTH: Final = (
    "<h1>Passport of $title</h1>"
    "<p>This page is worth what its signature is worth: <code>edgetrain passport verify FILE --key KEY</code>.</p>"
)
_FIRST: Final = _Layout(
    page=Template(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Passport of $title</title><style>'
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1b1b}"
        "h1{font-size:1.5rem}h2{font-size:1.1rem;margin:1.6rem 0 .3rem}table{border-collapse:collapse;width:100%}"
        "th,td{border-bottom:1px solid #ddd;padding:.25rem .5rem;text-align:left;vertical-align:top}th{width:14rem}"
        f"code{{word-break:break-all;font-size:.85em}}</style></head><body>{_WORTH}$sections{_INSIDE}"
    ),
    section=Template("<h2>$heading</h2><table>$rows</table>"),
    row=Template("<tr><th>$name</th><td>$value</td></tr>"),
    text=escape,
)
_NEWEST: Final = _Layout(
    page=Template(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Passport of $title</title><style>{_STYLE}</style></head>"
        f"<body><main>{_WORTH}$sections</main>{_INSIDE}"
    ),
    section=Template('<section aria-labelledby="$anchor"><h2 id="$anchor">$heading</h2><table>$rows</table></section>'),
    row=Template('<tr><th scope="row">$name</th><td dir="auto">$value</td></tr>'),
    # What nobody sees, or what turns the direction of what follows, is spelled out.
    text=lambda text: escape(one_line(text)),
)


def passport_page(document: Mapping[str, Any], bundle: bytes) -> bytes:
    """The page of a document; its bundle lies in it, so that the page can be verified as well."""
    return _page(_NEWEST, document, bundle)


def is_page_of(content: bytes, document: Mapping[str, Any], bundle: bytes) -> bool:
    """Whether this is the document's page, in any layout that was ever issued."""
    return any(content == _page(layout, document, bundle) for layout in (_NEWEST, _FIRST))


def _page(layout: _Layout, document: Mapping[str, Any], bundle: bytes) -> bytes:
    # What is inside must not end the element that it lies in.
    inside = passport_file(document, bundle).decode().strip().replace("<", "\\u003c")
    title = f"{_shown(layout, document.get('model'))} {_shown(layout, document.get('version'))}"
    shown = "".join(
        layout.section.substitute(heading=heading, anchor=heading.lower().replace(" ", "-"), rows=_rows(layout, rows))
        for heading, rows in sections(document)
    )
    return layout.page.substitute(title=title, sections=shown, inside=inside).encode()


Rows = Iterable[tuple[str, Any]]


def sections(document: Mapping[str, Any]) -> list[tuple[str, Rows]]:
    """What a page says of a document: a heading, and the names and values that stand below it."""
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


def _rows(layout: _Layout, rows: Rows) -> str:
    return "".join(layout.row.substitute(name=_shown(layout, name), value=_cell(layout, value)) for name, value in rows)


def _cell(layout: _Layout, value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(
            f"{_shown(layout, _words(name))}: {_cell(layout, inner)}" for name, inner in sorted(value.items())
        )
    if isinstance(value, list):
        return "<br>".join(_cell(layout, inner) for inner in value)
    text = _shown(layout, value)
    return f"<code>{text}</code>" if isinstance(value, str) and len(value) > 40 and " " not in value else text


def _shown(layout: _Layout, value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return layout.text(str(value))


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
