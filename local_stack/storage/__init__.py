"""Azure Storage on this machine: Azurite."""
