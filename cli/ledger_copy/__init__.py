"""``edgetrain backup`` and ``restore``: a copy of the ledger's tables in a file."""
