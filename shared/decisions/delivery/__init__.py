"""Rules of delivery, pure: what a target should serve, what is done when it does not, and what is kept how long."""
