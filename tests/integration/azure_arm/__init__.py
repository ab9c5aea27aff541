"""The stand-in for Azure Resource Manager, asked by the unmodified SDK."""
