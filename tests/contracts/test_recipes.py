"""What every recipe must keep, on a tiny encoder and a dozen drawn flowers."""

import ast
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from torch import Tensor

import clipfg
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.errors import UsageError
from clipfg.training.batches import Examples
from clipfg.training.recipes import RECIPES, Recipe, load_recipe
from clipfg.training.recipes.base import RANGES
from clipfg.training.task import parse_terms
from clipfg.training.terms import TERMS
from tests.training import material

SMALL = {"steps": 2, "lr": 1e-2, "warmup": 0.0, "batch_size": 11, "checks": 1, "crop": 0.8}

WEIGHTS: dict[str, Callable[[str], bool]] = {
    "all": lambda name: name != "logit_scale",
    "all + scale": lambda _: True,
    "lora:2": lambda name: name.endswith("in_proj_weight"),
    "projection": lambda name: name == "visual.proj",
    "last:1": lambda name: name.startswith(
        (
            "visual.transformer.resblocks.1.",
            "visual.ln_post",
            "visual.proj",
            "ln_final",
            "text_proj",
        )
    ),
    "adapter:16": lambda name: name == "visual.proj",
}
"""By what a recipe trains, whether a weight of the tiny encoder is to change."""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> CheckpointEncoder:
    return material.opened(material.tiny_clip(tmp_path_factory.mktemp("recipes") / "clip"))


@pytest.fixture(scope="module")
def examples(encoder: CheckpointEncoder) -> Examples:
    return material.examples_of(encoder, material.flowers())


@pytest.fixture(params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return replace(load_recipe(request.param), **SMALL)


def trained(recipe: Recipe, encoder: CheckpointEncoder, examples: Examples) -> CheckpointEncoder:
    task = material.task_of(recipe, encoder, examples)
    history = material.loop_of(task, material.batches_of(recipe, examples), recipe).run()
    assert len(history.losses) == 2
    return task.student.merged()


def test_what_is_to_change_changes_and_nothing_else(recipe, encoder, examples, tmp_path) -> None:
    base = {name: w.clone() for name, w in encoder.model.state_dict().items()}
    tuned = trained(recipe, encoder, examples)
    after = tuned.model.state_dict()
    assert after.keys() == base.keys()
    changed = {name for name in base if not after[name].equal(base[name])}
    assert changed == {name for name in base if WEIGHTS[recipe.trains](name)}
    assert all(w.equal(base[name]) for name, w in encoder.model.state_dict().items())

    tuned.save(tmp_path / "tuned")
    again = material.opened(tmp_path / "tuned")
    pixels = examples.pixels.images
    assert again.encode_images(pixels).pooled.equal(tuned.encode_images(pixels).pooled)
    assert again.encode_texts(["a flower"]).equal(tuned.encode_texts(["a flower"]))


def test_the_seed_settles_every_bit(recipe, encoder, examples) -> None:
    one, other = (trained(recipe, encoder, examples).model.state_dict() for _ in range(2))
    assert all(weight.equal(other[name]) for name, weight in one.items())


def test_gradients_are_those_of_the_whole_batch(recipe, encoder, examples) -> None:
    def gradients(micro_batch: int) -> dict[str, Tensor]:
        how = replace(recipe, micro_batch=micro_batch)
        task = material.task_of(how, encoder, examples)
        _warm(task)
        return material.gradients_of(task, material.batches_of(how, examples), how)

    whole, parts = gradients(0), gradients(3)
    assert whole.keys() == parts.keys()
    assert whole
    largest = max(grad.abs().max().item() for grad in whole.values())
    for name, grad in whole.items():
        torch.testing.assert_close(parts[name], grad, atol=1e-5 * largest, rtol=1e-5, msg=name)


def _warm(task: torch.nn.Module) -> None:
    """Updates of low rank begin at 0, and so do the gradients of one half of them."""
    with torch.no_grad():
        for name, weight in task.named_parameters():
            if name.endswith(".up"):
                weight.add_(0.01)


def test_losses_are_finite_and_those_of_the_recipe(recipe, encoder, examples) -> None:
    task = material.task_of(recipe, encoder, examples)
    batch = material.batches_of(recipe, examples)(0)
    losses = task.losses(task.embed(batch), batch)
    assert losses.keys() == {"loss", *parse_terms(recipe.losses)}
    assert all(value.isfinite() for value in losses.values())
    assert losses["loss"].item() > 0


def test_facts(recipe) -> None:
    assert recipe.name == next(name for name in RECIPES if RECIPES.get(name) is type(recipe))
    assert recipe.source
    assert not parse_terms(recipe.losses).keys() - set(TERMS)


def another(name: str, value: Any, kind: Any) -> Any:
    """A value of a number's kind and range that it does not have."""
    least, most = RANGES.get(name, (0, 1e9))
    numbers = [number for number in (0.5, 0.25, 2, 3) if least <= number <= most]
    choices: dict[Any, Iterable[Any]] = {
        bool: (True, False),
        str: ("a", "b"),
        float: map(float, numbers),
    }
    choices[int] = [number for number in numbers if number >= 2]
    return next(other for other in choices.get(kind) or get_args(kind) if other != value)


@pytest.mark.parametrize("name", RECIPES)
def test_every_number_is_changed_by_set(name) -> None:
    recipe = load_recipe(name)
    kinds = get_type_hints(type(recipe))
    for one in fields(recipe):
        other = another(one.name, getattr(recipe, one.name), kinds[one.name])
        changed = load_recipe(name, [f"{one.name}={other}"])
        expected = replace(recipe, **{one.name: other})
        if one.name == "epochs":
            expected = replace(expected, steps=0)  # which would count for more
        assert changed == expected
        assert changed != recipe


def test_every_number_is_read() -> None:
    package = Path(clipfg.__file__).parent
    read = {
        node.attr
        for part in ("training", "workflows/finetune")
        for path in (package / part).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    known = {one.name for name in RECIPES for one in fields(RECIPES.get(name))}
    assert known <= read


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("lr", "NAME=VALUE"),
        ("rate=1", "NAME=VALUE.*Known: losses"),
        ("lr=fast", "lr to be a number, got 'fast'"),
        ("lr=nan", "from 0"),
        ("batch_size=0", "from 1"),
        ("batch_size=2.5", "whole number"),
        ("warmup=2", "from 0 to 1"),
        ("ema=1", "ema to be from 0"),
        ("views=0", "from 1"),
        ("objective=both", "retrieval or classes"),
        ("mirror=yes", "true or false"),
        ("epochs=2 steps=9", "each says how long"),
    ],
)
def test_wrong_numbers_are_refused(change, said) -> None:
    with pytest.raises(UsageError, match=said):
        load_recipe("distill", change.split())


def test_epochs_count_for_recipes_of_so_many_steps_too() -> None:
    assert load_recipe("clip-lora").steps_for(3) == 500
    assert load_recipe("clip-lora", ["epochs=2"]).steps_for(3) == 6
    assert load_recipe("clip-lora", ["steps=7"]).steps_for(3) == 7
