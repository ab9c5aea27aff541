"""Infrastructure as code, and the checks that it is held to."""
