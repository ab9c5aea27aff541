"""A stand-in for Azure Resource Manager as far as Container Apps go; README.md lists what it answers."""
