"""What there is to know of recipes and their losses."""

from dataclasses import fields
from typing import Any

from clipfg.training.recipes import RECIPES
from clipfg.training.terms import TERMS


def recipe_rows() -> list[dict[str, Any]]:
    """A row per recipe."""
    return [
        {"recipe": name, "what": RECIPES.summary(name), "source": RECIPES.get(name).source}
        for name in RECIPES
    ]


def recipe_facts(name: str) -> list[dict[str, Any]]:
    """Every number of a recipe. Raises `UsageError` for an unknown one."""
    recipe = RECIPES.get(name)()
    return [{"number": one.name, "value": getattr(recipe, one.name)} for one in fields(recipe)]


def loss_rows() -> list[dict[str, Any]]:
    """A row per loss, with what it needs."""
    return [
        {"loss": name, "what": TERMS.summary(name), "needs": sorted(TERMS.get(name).needs)}
        for name in TERMS
    ]
