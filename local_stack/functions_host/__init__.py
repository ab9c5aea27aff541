"""A local Azure Functions host with the Durable Task extension; see README.md for what it answers."""
