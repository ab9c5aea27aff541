"""Deterministic workflows, one a file: no clock, no environment, no client; what they need comes in their input."""
