"""The operator's commands: what ``edgetrain`` asks of a running app, and how it shows the answers."""
