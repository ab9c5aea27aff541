"""Tokens of a managed identity on this machine, as App Service's endpoint gives them."""
