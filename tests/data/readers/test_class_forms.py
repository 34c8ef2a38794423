"""Class lists in the forms of other tools."""

import json
from pathlib import Path

import pytest

from clipfg.data.readers.class_files import read_class_list
from clipfg.data.readers.labels import LabelIndex, readable_names
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList

BIRDS = ("Blue Jay", "Bobolink", "Mallard")
SYNSETS = ("n01580077", "n01534433", "n01847000")
LATIN = ("Cyanocitta cristata", "Dolichonyx oryzivorus", "Anas platyrhynchos")
PAIRS = list(zip(SYNSETS, BIRDS, strict=True))
COCO = {"images": [], "categories": [{"id": i + 1, "name": n} for i, n in enumerate(BIRDS)]}
CARD = "---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n"
CARD += "        names:\n" + "".join(f"          '{i}': {n}\n" for i, n in enumerate(BIRDS))
PBTXT = "".join(
    f'item {{\n  name: "{code}"\n  id: {i}\n  display_name: "{name}"\n}}\n'
    for i, (code, name) in enumerate(PAIRS, 1)
)


def lines(*parts: str) -> str:
    return "\n".join(parts) + "\n"


FORMS: list[tuple[str, str, tuple[str, ...]]] = [
    ("data.yaml", lines("train: ../train/images", f"names: {list(BIRDS)}"), ()),
    ("dict.yaml", lines("nc: 3", "names:", *(f"  {i}: {n}" for i, n in enumerate(BIRDS))), "012"),
    ("imagenet_class_index.json", json.dumps(dict(enumerate(PAIRS))), "012"),
    ("config.json", json.dumps({"id2label": dict(enumerate(BIRDS)), "hidden_size": 8}), "012"),
    ("label2id.json", json.dumps({"label2id": {n: i for i, n in enumerate(BIRDS)}}), "012"),
    ("to_idx.json", json.dumps({n: i for i, n in enumerate(BIRDS)}), "012"),
    ("coco.json", json.dumps(COCO), "123"),
    ("map.json", json.dumps({"1": BIRDS[0], "3": BIRDS[1], "17": BIRDS[2]}), ("1", "3", "17")),
    ("wnids.json", json.dumps(dict(PAIRS)), SYNSETS),
    ("synonyms.json", json.dumps({i: [n, x] for i, (n, x) in enumerate(zip(BIRDS, LATIN))}), "012"),  # noqa: B905
    ("LOC_synset_mapping.txt", lines(*(f"{c} {n}, other {n}" for c, n in PAIRS)), SYNSETS),
    ("map_clsloc.txt", lines(*(f"{c} {i} {n}" for i, (c, n) in enumerate(PAIRS, 1))), SYNSETS),
    ("words.txt", lines(*(f"{c}\t{n}" for c, n in PAIRS)), SYNSETS),
    ("labels.txt", lines(*(f"{i} {n}" for i, n in enumerate(BIRDS))), "012"),
    ("gaps.txt", lines("1 Blue Jay", "2 Bobolink", "4 Mallard"), "124"),
    (
        "cub.txt",
        lines(*(f"{i} {i:03}.{n.replace(' ', '_')}" for i, n in enumerate(BIRDS, 1))),
        "123",
    ),
    ("after.txt", lines(*(f"{n},{i}" for i, n in enumerate(BIRDS))), "012"),
    ("bullets.txt", lines(*(f"- {n}" for n in BIRDS)), ()),
    ("quoted.txt", lines(*(f'"{n}",' for n in BIRDS)), ()),
    ("labelmap.txt", lines("# label:color_rgb:parts:actions", *(f"{n}:::" for n in BIRDS)), ()),
    ("colours.txt", lines("background:0,0,0::", *(f"{n}:1,2,3::" for n in BIRDS)), ()),
    ("label_map.pbtxt", PBTXT, "123"),
    ("README.md", CARD + "---\n# A card\n", "012"),
    ("ids.csv", lines("id,name", *(f"{i},{n}" for i, n in enumerate(BIRDS, 5))), "567"),
    ("no_header.csv", lines(*(f"{i},{n}" for i, n in enumerate(BIRDS))), "012"),
    ("labels.csv", lines("label;label_name", *(f"{i};{n}" for i, n in enumerate(BIRDS))), "012"),
    ("breeds.csv", lines("Breed", *BIRDS), ()),
    ("blank.csv", "\n\n" + lines("name,parent", *(f"{n},bird" for n in BIRDS)), ()),
    ("sep.csv", "sep=;\n" + lines("name;text", *(f"{n};a bird" for n in BIRDS)), ()),
    ("many.csv", lines("path,label", *(f"{i}.jpg,{n}" for i, n in enumerate(BIRDS * 2))), ()),
]


@pytest.mark.parametrize(("name", "text", "ids"), FORMS, ids=lambda v: v if "." in v else "")
def test_forms(tmp_path: Path, name: str, text: str, ids: tuple[str, ...]) -> None:
    (tmp_path / name).write_text(text)
    classes = read_class_list(tmp_path / name)
    assert classes.names == BIRDS
    assert classes.ids == tuple(ids)


def test_ranks_are_parents_and_common_names_are_answered(tmp_path: Path) -> None:
    path = tmp_path / "taxa.csv"
    path.write_text(
        "class,species,common_name\nAves,Cyanocitta cristata,Blue Jay\n"
        "Mammalia,Panthera onca,Jaguar\n"
    )
    classes = read_class_list(path)
    assert classes.names == ("Blue Jay", "Jaguar")
    assert classes.parents == {"Blue Jay": "Aves", "Jaguar": "Mammalia"}
    assert classes.synonyms["species"]["Jaguar"] == "Panthera onca"
    latin = read_class_list(path, name_column="species")
    assert latin.names == ("Cyanocitta cristata", "Panthera onca")
    assert latin.silent == ("common_name",)  # found by it, but no texts are made of it
    assert LabelIndex(latin).find("jaguar") == 1
    both = read_class_list(path, name_column="species,common_name")
    assert both.synonyms == {
        "common_name": {"Cyanocitta cristata": "Blue Jay", "Panthera onca": "Jaguar"}
    }
    with pytest.raises(UsageError, match="Did you mean 'common_name'"):
        read_class_list(path, name_column="common_names")


def test_genus_and_epithet_are_joined(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("family,genus,species\nCorvidae,Cyanocitta,cristata\n")
    classes = read_class_list(tmp_path / "t.csv")
    assert classes.names == ("Cyanocitta cristata",)
    assert classes.lineage(classes.names[0]) == ("Cyanocitta", "Corvidae")


def test_names_typed_with_commas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_class_list("Blue Jay, Bobolink,Mallard").names == BIRDS
    Path("a,b").write_text("c\n")  # a path that exists is a path
    assert read_class_list("a,b").names == ("c",)
    with pytest.raises(UsageError, match="there is none"):
        read_class_list("birds, all.txt")


def test_numbers_that_are_part_of_names_stay(tmp_path: Path) -> None:
    for names in (
        ("737-800", "747-400", "757-200"),
        ("2012 Audi A4", "2013 BMW X5"),
        ("707-320", "727-200"),
        ("3 Series Sedan", "5 Series Touring"),
    ):
        assert tuple(readable_names(names)) == names
        (tmp_path / "n.txt").write_text(lines(*names))
        assert read_class_list(tmp_path / "n.txt").names == names
        assert read_class_list(tmp_path / "n.txt").ids == ()


def test_names_ids_and_synonyms_are_found() -> None:
    classes = ClassList(
        BIRDS, ids=("1", "2", "4"), synonyms={"latin": dict(zip(BIRDS, LATIN, strict=True))}
    )
    found = [LabelIndex(classes).find(name) for name in ("bobolink", "04", "anas_platyrhynchos")]
    assert found == [1, 2, 2]
    assert LabelIndex(classes).find("3") is None
    assert LabelIndex(classes).find("Blue\u00a0Jay") == 0
    assert ClassList.from_dict(classes.to_dict()) == classes
    assert classes.only(("Mallard",)).ids == ("4",)


BOMB = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi")  # noqa: B905
)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("bomb.yaml", BOMB, "aliased"),
        ("deep.yaml", "[" * 2000 + "]" * 2000, "nest"),
        ("dates.yaml", "- 2020-01-01\n", "quotes around"),
        ("int.json", "[" + "9" * 5000 + "]", "JSON"),
        ("int.yaml", "- " + "9" * 5000, "YAML|digits"),
        ("long.json", json.dumps(["x" * 100_000] * 2), "twice"),
        ("quote.csv", 'name,parent\n"a,b\nc,d\n', "quote|CSV"),
        ("twice.json", json.dumps({"1": "a", "2": "a"}), "twice"),
        ("card.md", "# no front matter", "between two lines"),
        ("half.csv", "name\n".encode("utf-16")[:-1].decode("latin-1"), "class name|binary|header"),
    ],
)
def test_hostile_lists_end_in_a_sentence(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words) as caught:
        read_class_list(tmp_path / name)
    assert len(str(caught.value)) < 600
