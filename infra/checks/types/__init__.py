"""Azure's descriptions of the resource types that we use; ``python -m infra.checks.describe`` writes them anew."""
