"""Write docs/pictures/ anew: ``python -m tests.pictures``.

Of the app in one process with a story of its own; ``--url`` takes them of a page that is served already, such as that
of a local stack, whose link to sign in comes before the pictures: ``--url http://127.0.0.1:7071 --sign-in LINK``.
"""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from cli.terminal import heed_interrupts
from tests.pictures.taking import Scene, simulated, take
from tests.pictures.wanted import PICTURES
from tests.support import own_run
from tests.support.browser import chromium, missing

_FOLDER: Final = Path(__file__).resolve().parents[2] / "docs/pictures"


def main() -> None:
    """Write the pictures and say which."""
    heed_interrupts()
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("--url", help="of a page that is served already; without it, one is served for this")
    parser.add_argument("--sign-in", metavar="LINK", help="opened first; the button on it is pressed")
    parser.add_argument("--name", action="append", default=[], metavar="KEY=VALUE", help="for addresses, with --url")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="(default: %(default)s)")
    arguments = parser.parse_args()
    if needed := missing():
        parser.exit(2, f"missing {', '.join(needed)}: run python -m local_stack.setup --tests\n")
    names = dict(pair.partition("=")[::2] for pair in arguments.name)
    with own_run.held(), ExitStack() as exits:
        folder = Path(tempfile.mkdtemp()) / "world"
        scene = Scene(arguments.url.rstrip("/"), names) if arguments.url else exits.enter_context(simulated(folder))
        pages = exits.enter_context(exits.enter_context(chromium()).pages())
        session = None
        if arguments.sign_in:
            page = pages(arguments.sign_in)
            page.locator("main button").first.click()
            page.wait_for_load_state()
            session = page.context.storage_state()
        for file in take(scene, PICTURES, pages, arguments.folder, session=session):
            sys.stdout.write(f"{file} ({file.stat().st_size} bytes)\n")
        pages.judge()


if __name__ == "__main__":
    main()
