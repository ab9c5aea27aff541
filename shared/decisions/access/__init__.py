"""Who may do what, pure: roles, who has which, and what an operation needs."""
