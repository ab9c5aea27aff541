"""A small Service Bus namespace on loopback: AMQP 1.0 for the vendor's SDKs, a journal on disk."""
