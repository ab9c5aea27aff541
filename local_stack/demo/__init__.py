"""The story that ``make demo`` tells, on the real parts and stand-ins of the local stack."""
