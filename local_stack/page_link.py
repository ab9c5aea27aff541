"""Where the app's page is, and a link that signs a browser in there once."""

from typing import Any

import requests

_SECONDS = 30


def page_lines(endpoints: dict[str, Any]) -> list[str]:
    """What to tell people about the page; says so when no link is to be had."""
    host = endpoints["functions_host"]
    lines = [f"the page: {host['url']}/ui"]
    try:
        answer = requests.post(
            f"{host['url']}/api/page/tickets", headers={"x-functions-key": host["function_key"]}, timeout=_SECONDS
        )
        answer.raise_for_status()
        lines.append(f"signs in once, within ten minutes: {host['url']}{answer.json()['address']}")
    except (requests.RequestException, KeyError, ValueError):
        lines.append("sign in there with the function_key, or ask for a link: edgetrain page")
    return lines
