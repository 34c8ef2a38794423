"""Patch prototypes: a saved head of them, drawn whole, and photos explained by it."""
