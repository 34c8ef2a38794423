"""Tables of class names, and taxonomies in which no two things share a name."""

from pathlib import Path

import pytest

import clipfg.data
from clipfg.data.readers.class_tables import class_list, rows, taxonomy, with_lineages
from clipfg.errors import DataError
from clipfg.types import ClassList

TABLES = sorted(path.stem for path in (Path(clipfg.data.__file__).parent / "names").iterdir())


@pytest.mark.parametrize("table", TABLES)
def test_tables(table: str) -> None:
    names = [row["name"] for row in rows(table)]
    assert names == [name.strip() for name in names]
    assert len({name.casefold() for name in names}) == len(names)
    keys = [row.get("folder") or row["name"] for row in rows(table)]
    assert class_list(table).names == tuple(names)
    assert class_list(table, keys) == class_list(table)


def test_names_that_the_table_lacks() -> None:
    textures = class_list("dtd", ["polka_dotted", "Woven", "tie_dyed"])
    assert textures.names == ("polka-dotted", "woven", "tie dyed")
    assert class_list("eurosat", ["SeaLake", "Sea_Ice"]).names == ("Sea or Lake", "Sea Ice")
    pets = class_list("oxford_pets", ["pug", "Blue_Wyvern"])
    assert pets.parents == {"Pug": "dog"}
    assert pets.levels == ()
    assert class_list("oxford_pets", ["pug"]).levels == ("species",)


def test_lineages() -> None:
    classes = with_lineages(["a", "b"], [["x", "z"], ["y", "z"]], ["genus", "family"])
    assert classes.parents == {"a": "x", "x": "z", "b": "y", "y": "z"}
    assert classes.levels == ("genus", "family")
    assert with_lineages(["a", "b"], [["x", "z"], ["", "z"]], ["genus", "family"]).levels == ()
    with pytest.raises(DataError, match="unique class names"):
        with_lineages(["a", "a"], [["x"], ["y"]], ["genus"])


def test_a_plain_taxonomy() -> None:
    lineages = {"great tit": ["Parus", "Paridae"], "coal tit": ["Periparus", "Paridae"]}
    assert taxonomy(lineages, ["genus", "family"]) == {
        "great tit": "Parus",
        "coal tit": "Periparus",
        "Parus": "Paridae",
        "Periparus": "Paridae",
    }


@pytest.mark.parametrize(
    ("lineages", "expected"),
    [
        # a class, its family and that family's other classes
        (
            {"A310": ["A310", "Airbus"], "A318": ["A320", "Airbus"], "A320": ["A320", "Airbus"]},
            {
                "A310": ("A310 (family)", "Airbus"),
                "A318": ("A320 (family)", "Airbus"),
                "A320": ("A320 (family)", "Airbus"),
            },
        ),
        # a family called like its only maker
        ({"x": ["Tornado", "Tornado"]}, {"x": ("Tornado", "Tornado (maker)")}),
        # one name for two families, and a class without a family
        (
            {"a": ["Morus", "Birds"], "b": ["Morus", "Trees"], "c": ["", "Trees"]},
            {
                "a": ("Morus (Birds)", "Birds"),
                "b": ("Morus (Trees)", "Trees"),
                "c": ("Trees",),
            },
        ),
        ({"a": ["", ""]}, {"a": ()}),
    ],
)
def test_names_that_meet(
    lineages: dict[str, list[str]], expected: dict[str, tuple[str, ...]]
) -> None:
    classes = ClassList(tuple(lineages), taxonomy(lineages, ["family", "maker"]))
    assert {name: classes.lineage(name) for name in classes.names} == expected
