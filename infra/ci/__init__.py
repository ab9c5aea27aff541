"""For the CI of those who deploy edgetrain."""
