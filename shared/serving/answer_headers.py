"""Which model gave an answer: HAProxy writes run, model and version into the headers of every scoring answer.

They are looked up in a map by the server's colour, because a map is changed at run time, without a reload. The map's
file is what a restart of HAProxy begins with.
"""

from urllib.parse import quote

from shared.messages.serving import PlannedRelease
from shared.serving.slots import Colour, Slot

HEADERS = {"run": "x-edgetrain-run", "model": "x-edgetrain-model", "version": "x-edgetrain-version"}


def headers_path(pipeline: str) -> str:
    """Where a slot's map lies, relative to the home of the SSH user."""
    return f"serving/headers/{pipeline}.map"


def header_rules(file: str) -> str:
    """The rules of a backend; ``file``: the absolute path of its map. What a model writes itself is taken out."""
    lines = []
    for kind, header in HEADERS.items():
        found = f'srv_name,concat(.{kind}),map("{file}")'
        lines.append(f"  http-response del-header {header}")
        lines.append(
            f'  http-response set-header {header} "%[srv_name,concat(.{kind}),map({file})]" if {{ {found} -m found }}'
        )
    return "\n".join(lines)


def entries(release: PlannedRelease | None, colour: Colour) -> dict[str, str]:
    """The keys and values of a colour; what headers or HAProxy's commands do not take is percent-encoded."""
    if release is None:
        return {}
    said = {"run": release.run_id, "model": release.model, "version": release.version}
    return {f"{colour}.{kind}": quote(value, safe="-._~") for kind, value in said.items() if value}


def headers_text(slot: Slot) -> str:
    """The text of a slot's map."""
    pairs = {key: value for colour in Colour for key, value in entries(slot.places.get(colour), colour).items()}
    return "".join(f"{key} {value}\n" for key, value in sorted(pairs.items()))


def show_headers_command(file: str) -> str:
    """Ask for the map as the running HAProxy has it."""
    return f"show map {_escaped(file)}"


def parse_headers(answer: str) -> dict[str, str] | None:
    """The map in an answer to :func:`show_headers_command`; None when HAProxy has not loaded one of that name."""
    if "Unknown map" in answer:
        return None
    rows = [line.split(maxsplit=2) for line in answer.splitlines() if line.startswith("0x")]
    return {row[1]: row[2] for row in rows if len(row) == 3}


def change_commands(file: str, there: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """What makes the running map the wanted one; nothing when it is."""
    path = _escaped(file)
    gone = [f"del map {path} {key}" for key in sorted(there.keys() - wanted.keys())]
    new = [f"add map {path} {key} {wanted[key]}" for key in sorted(wanted.keys() - there.keys())]
    other = sorted(key for key in wanted.keys() & there.keys() if wanted[key] != there[key])
    return [*gone, *new, *(f"set map {path} {key} {wanted[key]}" for key in other)]


def _escaped(file: str) -> str:
    return file.replace("\\", "\\\\").replace(" ", "\\ ").replace(";", "\\;")
