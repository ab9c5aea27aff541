"""A stand-in for an Azure ML workspace: what azureml-core 1.61 asks of it for our use, on loopback with TLS."""
