"""Checks of the infrastructure that need no Azure: ``python -m infra.checks``. What each finds, its module says."""
