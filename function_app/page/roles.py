"""What roles are called on the page."""

from collections.abc import Mapping
from typing import Final

from function_app.page.later import _
from shared.decisions.access.roles import Role

ROLE_NAMES: Final[Mapping[Role, str]] = {
    Role.READER: _("reader"),
    Role.OPERATOR: _("operator"),
    Role.APPROVER: _("approver"),
}
