"""Durable orchestrations, one a file. Deterministic: no clock, environment or client; their input has all they need."""
