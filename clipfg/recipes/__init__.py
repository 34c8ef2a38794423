"""Recipes: frozen dataclasses that name the parts and the numbers of one training method."""
