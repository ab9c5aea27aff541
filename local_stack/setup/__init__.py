"""Installs what the local stack needs: Debian packages and Azurite."""
