"""How log lines begin that an alert looks for: infra/modules/alerts.bicep has the same words, as a check makes sure."""

from datetime import timedelta
from typing import Final

RUN_ENDED_BADLY: Final = "alert run-ended-badly:"
SITE_SILENT: Final = "alert site-silent:"
SILENT_AFTER: Final = timedelta(hours=1)
"""So long a hub may be out of reach before somebody is called: a reboot or a lost line is over by then."""
