"""The name of the Event Grid binding. The worker's own converter would answer 500 to malformed events, before our code.

The spelling is intended. The host matches binding names ignoring case, the Python worker exactly, and the worker passes
the value of an unknown binding on as text. So the app parses events itself, alike for both schemas and all versions of
the worker's library (docs/adr/0024-events-are-read-by-the-app.md).
"""

from typing import Final

EVENT_GRID_TRIGGER: Final = "EventGridTrigger"
