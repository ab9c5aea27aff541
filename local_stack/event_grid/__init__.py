"""A stand-in for Azure Event Grid: topics, subscriptions and their deliveries, on loopback. See README.md."""
