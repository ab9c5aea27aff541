"""``edgetrain attach``: a VM becomes a compute target of the Azure ML workspace, after it was looked at."""

from cli.attach.command import attach

__all__ = ["attach"]
