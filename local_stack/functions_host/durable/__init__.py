"""The durable half of the host: histories, the engine that reads them, the store and the dispatcher."""
