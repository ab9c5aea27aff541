"""``edgetrain doctor``: what is right and wrong with everything a running app needs."""

from cli.doctor.command import doctor

__all__ = ["doctor"]
