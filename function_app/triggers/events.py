"""The name of the Event Grid binding: the worker's own converter answers 500 for what it cannot read, before our code.

The spelling is no slip. The host looks a binding up by its name in any case, the Python worker by the exact name, and
hands the value of a binding it does not know over as the text that it is. So the app reads the events itself, alike for
both schemas and for every version of the worker's library (docs/adr/0024-events-are-read-by-the-app.md).
"""

from typing import Final

EVENT_GRID_TRIGGER: Final = "EventGridTrigger"
