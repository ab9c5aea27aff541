"""``python -m infra.host scheduler``: make ``host.json`` the one for a backend. ``--check``: say whether it is."""

import argparse
import os
import sys

from infra.host import CHANGES, ROOT, STORAGE, backend_in, written


def main() -> int:
    """Do what is asked; 1 when ``host.json`` is for another backend than the one that is deployed."""
    parser = argparse.ArgumentParser(prog="python -m infra.host", description=__doc__)
    parser.add_argument("backend", nargs="?", choices=list(CHANGES), help="as Bicep's durableBackend; without: storage")
    parser.add_argument("--check", action="store_true", help="change nothing; EDGETRAIN_DURABLE_BACKEND says which")
    given = parser.parse_args()
    host = ROOT / "host.json"
    if given.check:
        wanted = given.backend or os.environ.get("EDGETRAIN_DURABLE_BACKEND") or STORAGE
        found = backend_in(host.read_text(encoding="utf-8"))
        if found != wanted:
            print(
                f"host.json is for {found}, and durableBackend is {wanted}: python3 -m infra.host {wanted}",
                file=sys.stderr,
            )
            return 1
    else:
        host.write_text(written(given.backend or STORAGE), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
