"""Recipes of fine-tuning, each a frozen dataclass with every number in it."""

from clipfg.training.recipes.base import RECIPES, Recipe, changed, load_recipe

__all__ = ["RECIPES", "Recipe", "changed", "load_recipe"]
