"""`clipfg recipes`: what there is, every number, and a suggestion for a wrong name."""

import json

import pytest

from clipfg.cli import main
from clipfg.training.recipes import RECIPES
from clipfg.training.task import parse_terms


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    assert main.run(["recipes", *words, "--format", "json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_list_names_every_recipe_and_its_source(capsys) -> None:
    found = rows(capsys, "list")
    assert [row["recipe"] for row in found] == list(RECIPES)
    assert all(row["what"] and row["source"] for row in found)


def test_show_has_every_number(capsys) -> None:
    found = {row["number"]: row["value"] for row in rows(capsys, "show", "cm-cgns")}
    assert found == vars(RECIPES.get("cm-cgns")())
    assert found["false_negatives"] == "mask"


def test_losses_are_those_that_recipes_add_up(capsys) -> None:
    known = {row["loss"] for row in rows(capsys, "losses")}
    for name in RECIPES:
        assert parse_terms(RECIPES.get(name)().losses).keys() <= known


def test_a_wrong_name_is_answered_with_a_near_one(capsys) -> None:
    assert main.run(["recipes", "show", "distil"]) == 2
    assert "Did you mean 'distill'?" in capsys.readouterr().err
