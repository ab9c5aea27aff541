"""Build container images without a container engine: layers, configurations and manifests as values.

Follows the OCI image specification 1.1 (image-spec) and, for names, the distribution specification 1.1.
"""
