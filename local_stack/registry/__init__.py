"""The container registry: Distribution."""
