"""Container images as arithmetic: layers, configs and manifests made without a container engine.

Follows the OCI image specification 1.1 (image-spec) and, for names, the distribution specification 1.1.
"""
