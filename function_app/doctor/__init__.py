"""Checks of everything the app needs, by subject; ``catalogue.py`` lists them, ``examination.py`` runs them."""
