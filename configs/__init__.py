"""Recipes: one file per experiment, each a ``get_config`` function."""
