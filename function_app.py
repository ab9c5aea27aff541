"""Marker the Functions worker looks for. It imports the *name* ``function_app``, and Python prefers the package of
that name beside this file, so nothing here runs in the host. Why it is so: docs/adr/0001-entry-point-marker.md.
"""

from function_app import app as app
