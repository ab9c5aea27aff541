"""Marker the Functions worker looks for; it imports the package of the same name beside this file.

Nothing here runs in the host. Why it is so: docs/adr/0001-entry-point-marker.md.
"""

from function_app import app  # noqa: F401 - for tools that look into the file
