"""Azure Container Apps as a place that serves: names, bodies, Resource Manager, and what is seen there."""
