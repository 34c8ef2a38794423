"""Tables of class names, and taxonomies in which no two things share a name."""

import pytest

from clipfg.data.readers.class_tables import class_list, readable, rows, taxonomy
from clipfg.types import ClassList

TABLES = [
    *("caltech101", "country211", "dtd", "eurosat", "fgvc_aircraft", "food101", "grocery"),
    *("oxford_pets", "resisc45", "stanford_cars", "stanford_dogs", "sun397", "ucf101"),
]


@pytest.mark.parametrize("table", TABLES)
def test_tables(table: str) -> None:
    names = [row["name"] for row in rows(table)]
    assert names == [name.strip() for name in names]
    assert len({name.casefold() for name in names}) == len(names)
    keys = [row.get("folder") or row["name"] for row in rows(table)]
    assert readable(keys, table) == names
    assert class_list(table).names == tuple(names)


def test_names_that_the_table_lacks() -> None:
    assert readable(["polka_dotted", "Woven", "tie_dyed"], "dtd") == [
        "polka-dotted",
        "woven",
        "tie dyed",
    ]
    assert readable(["SeaLake", "Sea_Ice"], "eurosat") == ["Sea or Lake", "Sea Ice"]


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
