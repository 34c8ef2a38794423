import pytest

from clipfg.data.sets.catalogue import DATASETS
from clipfg.errors import DataError, UsageError
from clipfg.prompting.descriptions import Descriptions, read_descriptions
from clipfg.prompting.linting import lint
from clipfg.prompting.loading import (
    DESCRIPTIONS,
    covering_descriptions,
    library_folder,
    load_descriptions,
    load_prompts,
)

NAMES = sorted(path.stem for path in (library_folder() / DESCRIPTIONS).glob("*.yaml"))
BIRDS = {"Brewer's Sparrow": {"bill": "short", "size and shape": "a small bird"}}


def test_there_are_nine() -> None:
    assert len(NAMES) == 9


@pytest.mark.parametrize("name", NAMES)
def test_every_class_of_the_data_set_is_described(name) -> None:
    described = load_descriptions(name)
    card = DATASETS.get(name)
    assert card.class_list is not None
    names = card.class_list().names
    assert [x for x in names if x not in described] == []
    assert len(described.parts) == len(names)
    assert name in covering_descriptions(names[:5])


@pytest.mark.parametrize("name", NAMES)
def test_the_only_warnings_are_about_foreign_letters(name) -> None:
    found = lint(load_prompts(name), load_descriptions(name))
    assert [x for x in found if not x.what.endswith("is that intended?")] == []


@pytest.mark.parametrize("name", ["brewer's sparrow", "Brewer_Sparrow", "BREWER’S-SPARROW"])
def test_names_are_looked_up_loosely(name) -> None:
    assert name in Descriptions("x", "bird", BIRDS)


def test_sentences_of_parts() -> None:
    prompts = Descriptions("x", "emu", BIRDS, note="Beware.").as_prompts()
    assert prompts.render("Brewer Sparrow") == (
        "Brewer Sparrow, an emu: bill short.",
        "Brewer Sparrow, an emu: a small bird.",
    )
    assert prompts.notes == ("Beware.",)


def test_an_unknown_file() -> None:
    with pytest.raises(UsageError, match="Did you mean 'cub200'"):
        load_descriptions("cub20")
    with pytest.raises(DataError, match="Expected `classes"):
        load_descriptions(library_folder() / "birds.yaml")


def test_the_descriptions_of_flowers_have_a_caveat() -> None:
    assert "pelargonium" in load_prompts("flowers+flowers102").notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"classes": {"rose": {"petal": 5}}}, "part: phrase"),
        ({"classes": {"rose": "red"}}, "part: phrase"),
        ({"classes": {"rose": {}}}, "part: phrase"),
        ({"classes": {}}, "no classes"),
        ({"classes": {"a": {"b": "c"}}, "sort": "x"}, "got sort"),
        ({"classes": {"a": {"b": "c"}, "A": {"b": "c"}}}, "each class once"),
    ],
)
def test_invalid_descriptions(content, message) -> None:
    with pytest.raises(DataError, match=message):
        read_descriptions(content, "x")
