"""What a form of the page sends, and whether a page of ours made that form."""

from typing import Final
from urllib.parse import parse_qsl

import azure.functions as func

from function_app.page.actions import TOKEN
from function_app.page.later import _
from function_app.page.serving import Asked
from function_app.page.who import comes_from_the_page
from function_app.problems import RefusedError

LARGEST: Final = 16 * 1024
_KIND: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 200
FORGED: Final = "forged_request"


def form_of(req: func.HttpRequest) -> dict[str, str]:
    """The fields; of two with one name the last. Raises :class:`RefusedError`."""
    body = req.get_body()
    if len(body) > LARGEST:
        raise RefusedError(413, "too_large", _("This is too long. Write less."))
    if (req.headers.get("Content-Type") or "").partition(";")[0].strip().lower() != _KIND:
        raise RefusedError(415, "no_form", _("Only a form of this page is taken here."))
    try:
        return dict(
            parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
        )
    except ValueError:
        raise RefusedError(400, "no_form", _("The form cannot be read. Open the page again.")) from None


def refuse_other_sites(req: func.HttpRequest) -> None:
    """Nothing, unless the browser says that another site sent this; then raises :class:`RefusedError`."""
    if not comes_from_the_page(req):
        raise RefusedError(403, FORGED, _("Another site sent this, so nothing was done."))


def refuse_forged(req: func.HttpRequest, form: dict[str, str], asked: Asked, purpose: str) -> None:
    """Nothing, when a page that this reader got sent the form, for this purpose; raises :class:`RefusedError`."""
    refuse_other_sites(req)
    token = form.get(TOKEN, "")
    if asked.signs is None or not asked.signs.is_token(token, asked.reader.bound, purpose, asked.now):
        raise RefusedError(403, FORGED, _("This form is too old, or is not from this page. Open it again."))
