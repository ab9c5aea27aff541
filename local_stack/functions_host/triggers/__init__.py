"""Triggers that listen on their own instead of waiting for a request; ``listeners`` says which function gets which."""
