"""Class files as people write them."""

import csv
import io
import json
import logging
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clipfg.data.readers.class_files import read_class_list
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList

NAMES = ("hawk, red-tailed", '"Darwin\'s" finch', "#9 warbler", "Bussard (Mäuse-)")


def write(folder: Path, content: str | bytes, name: str = "names.txt") -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_keeps_every_name_whole(tmp_path: Path, end: str, encoding: str) -> None:
    text = end.join(["", *(f"  {name}\t" for name in NAMES), "", " "])
    assert read_class_list(write(tmp_path, text.encode(encoding))).names == NAMES


def test_windows_latin_is_read_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        classes = read_class_list(write(tmp_path, "Mäusebussard\nGelbkehlchen".encode("cp1252")))
    assert classes.names == ("Mäusebussard", "Gelbkehlchen")
    assert "cp1252" in caplog.text


def test_accents_in_pieces_are_put_together(tmp_path: Path) -> None:
    assert read_class_list(write(tmp_path, "cafe\u0301")).names == ("caf\u00e9",)


def test_csv_with_parents_and_texts(tmp_path: Path) -> None:
    text = (
        "\ufeffName;Parent;Grandparent;text;text 2;count\r\n"
        '"hawk; red-tailed";Accipitridae;Accipitriformes;a brown hawk;"a red ""tail""";3\r\n'
        "\r\n"
        "finch;;;;;\r\n"
    )
    classes = read_class_list(write(tmp_path, text, "names.csv"))
    assert classes.names == ("hawk; red-tailed", "finch")
    assert classes.lineage("hawk; red-tailed") == ("Accipitridae", "Accipitriformes")
    assert classes.texts == {"hawk; red-tailed": ("a brown hawk", 'a red "tail"')}


def test_a_csv_is_known_by_its_header_whatever_it_is_called(tmp_path: Path) -> None:
    assert read_class_list(write(tmp_path, "name,parent\na,b\n")).parents == {"a": "b"}
    assert read_class_list(write(tmp_path, "name\tparent\na\tb\n")).parents == {"a": "b"}
    # A text file about names is not one.
    assert read_class_list(write(tmp_path, "name\nparent\n")).names == ("name", "parent")


@pytest.mark.parametrize("header", ["sku,title,price,category", "gbifID;meaning;x;y"])
def test_the_first_column_holds_ids_under_any_name(tmp_path: Path, header: str) -> None:
    rows = [header, *("2,jay,9,bird", "0,gull,9,bird", "1,owl,8,bird")]
    path = write(tmp_path, "\n".join(rows).replace(",", ";" if ";" in header else ","), "names.csv")
    assert read_class_list(path) == ClassList(("jay", "gull", "owl"), ids=("2", "0", "1"))
    counted = write(tmp_path, "name,images\njay,2\ngull,0\nowl,1\n", "counted.csv")
    assert read_class_list(counted).ids == ()


def test_a_csv_of_one_column_splits_nothing(tmp_path: Path) -> None:
    classes = read_class_list(write(tmp_path, 'name\nhawk, red\n"a, b"\n', "names.csv"))
    assert classes.names[0].replace(" ", "") == "hawk,red"
    assert classes.names[1] == "a, b"
    assert read_class_list(write(tmp_path, "hawk\nfinch\n", "x.csv")).names == ("hawk", "finch")


@pytest.mark.parametrize(
    ("tree", "names"),
    [
        (["b", "a"], ("b", "a")),
        ({"10": "ten", "2": "two", "1": "one"}, ("one", "two", "ten")),
        ({"b": 1, "a": 0}, ("a", "b")),
        ({"b": ["s", "t"], "a": "u"}, ("b", "a")),
        ([{"name": "b", "parent": "p", "text": "s"}, "a"], ("b", "a")),
        ({"classes": ["b", "a"], "parents": {"b": "p"}, "texts": {"a": ["s"]}}, ("b", "a")),
        ([1, 2.5], ("1", "2.5")),
    ],
)
@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_trees(tmp_path: Path, tree: object, names: tuple[str, ...], suffix: str) -> None:
    text = json.dumps(tree) if suffix == ".json" else yaml.safe_dump(tree, sort_keys=False)
    assert read_class_list(write(tmp_path, text, f"names{suffix}")).names == names


def test_tree_details(tmp_path: Path) -> None:
    tree = [{"name": "b", "parent": "p", "grandparent": "g", "texts": ["s", "t"]}]
    classes = read_class_list(write(tmp_path, json.dumps(tree), "n.json"))
    assert classes.lineage("b") == ("p", "g")
    assert classes.texts == {"b": ("s", "t")}
    tree = {"b": ["s", " "], "a": "u"}
    classes = read_class_list(write(tmp_path, json.dumps(tree), "n.json"))
    assert classes.texts == {"b": ("s",), "a": ("u",)}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("n.txt", "", "at least one class name"),
        ("n.txt", " \n\n", "at least one class name"),
        ("n.txt", "a\nb\na\n", "'a' twice"),
        ("n.txt", b"\xff\xd8\xff\xe0\0\x10JFIF\0", "binary file"),
        ("n.txt", b"\xff\xfea", "binary file"),
        ("n.csv", "name,parent\n,b\n", "none in line 2"),
        ("n.csv", "name,parent\na,b,c\n", "2 cells in line 2, got 3; put quotes"),
        ("n.csv", "x,y\na,b\n", "header with a column 'name'"),
        ("n.csv", "name,parent,grandparent\na,p,g\nb,p,h\n", "one parent of 'p'"),
        ("n.csv", "name,parent\na,b\nb,a\n", "cycle"),
        ("n.csv", "name,parent\n", "at least one class name"),
        ("n.json", "[", "Expected JSON"),
        ("n.json", "3", "got int"),
        ("n.json", "[" * 100_000, "deep|Expected JSON"),
        ("n.json", '[{"x": 1}]', "'name' for each class"),
        ("n.json", '{"classes": ["a"], "texts": {"b": "s"}}', "not a class"),
        ("n.json", '{"classes": ["a"], "texts": ["b"]}', "map names"),
        ("n.yaml", "- yes\n- no\n", "quotes around it"),
        ("n.yaml", "a: [1", "Expected YAML"),
        ("n.yaml", "!!python/object/apply:os.system [ls]", "Expected YAML"),
        ("n.yaml", "", "NoneType"),
    ],
)
def test_refusals(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_class_list(write(tmp_path, content, name))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "a", "birds.txt")
    with pytest.raises(UsageError, match=r"Did you mean 'birds\.txt'"):
        read_class_list(tmp_path / "bird.txt")
    with pytest.raises(UsageError, match="there is none"):
        read_class_list(tmp_path / "no" / "bird.txt")
    with pytest.raises(DataError, match="got the folder"):
        read_class_list(tmp_path)


name_texts = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).map(
    lambda s: " ".join(s.split())
)


@given(st.lists(name_texts.filter(bool), min_size=1, unique=True))
def test_any_names_round_trip(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    import unicodedata

    wanted = [unicodedata.normalize("NFC", name) for name in names]
    if len(set(wanted)) < len(wanted) or any(not w.strip("\ufeff") for w in wanted):
        return
    folder = tmp_path_factory.mktemp("names")
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["name", "parent"])
    writer.writerows([name, "all of them"] for name in names if name != "all of them")
    if "all of them" not in names:
        table = read_class_list(write(folder, buffer.getvalue(), "n.csv"))
        assert list(table.names) == wanted
    tree = read_class_list(write(folder, json.dumps(names), "n.json"))
    assert list(tree.names) == wanted
    one_line = len(names) == 1 and "," in names[0]
    plain = not one_line and not any(
        re.match(r"[\ufeff\d\W]|name|item|n\d", name.lower()) for name in names
    )
    if plain and not all(re.search(r"\d$|:", name) for name in names):  # nothing but names
        assert list(read_class_list(write(folder, "\n".join(names))).names) == wanted


@pytest.mark.shared
def test_real_files(shared: Path) -> None:
    data = shared / "data"
    descriptors = read_class_list(data / "formats/descriptors_cub_sample.json")
    assert isinstance(descriptors, ClassList)
    assert descriptors.texts["Black-footed Albatross"][0] == "a seabird"
    assert read_class_list(data / "flowers-102/cat_to_name.json").names[0] == "pink primrose"


def test_a_column_of_texts_may_be_repeated(tmp_path: Path) -> None:
    path = write(tmp_path, "name,text,text,text\nrose,red,thorny,\n", "n.csv")
    assert read_class_list(path).texts == {"rose": ("red", "thorny")}


def test_ranks_are_a_taxonomy_with_named_levels(tmp_path) -> None:
    path = tmp_path / "names.csv"
    path.write_text("name,family,genus,note\nrose,Rosaceae,Rosa,x\nmulberry,Moraceae,Morus,y\n")
    classes = read_class_list(path)
    assert classes.lineage("rose") == ("Rosa", "Rosaceae")
    assert classes.levels == ("genus", "family")


def test_ranks_with_gaps_have_no_names_for_levels(tmp_path) -> None:
    path = tmp_path / "names.csv"
    path.write_text("name,genus,family\nrose,Rosa,Rosaceae\nfern,,Polypodiaceae\n")
    classes = read_class_list(path)
    assert classes.lineage("fern") == ("Polypodiaceae",)
    assert classes.levels == ()


@pytest.mark.parametrize(
    "text",
    [
        "Blue Jay, Bobolink\n",
        "['Blue Jay', 'Bobolink']\n",
        "# birds\nBlue Jay\nBobolink\n",
        "Blue Jay\t12\nBobolink\t9\n",
        "/b/Blue_Jay 0\n/b/Bobolink 1\n",
    ],
)
def test_lists_that_say_more_than_names(text: str, tmp_path: Path) -> None:
    assert read_class_list(write(tmp_path, text, "n.txt")).names == ("Blue Jay", "Bobolink")


def test_class_is_a_name_with_a_number(tmp_path: Path) -> None:
    listed = read_class_list(write(tmp_path, "Class 1\nClass 2\n", "n.txt"))
    assert listed.names == ("Class 1", "Class 2")


@pytest.mark.parametrize("column", ["text", "x{}", "name_{}"])
def test_a_wide_table_takes_time_by_its_width_alone(column, tmp_path) -> None:
    def seconds(width: int) -> float:
        header = ",".join(column.format(i) for i in range(width))
        rows = [f"class {k}," + ",".join(f"{i} of {k}" for i in range(width)) for k in range(2)]
        path = tmp_path / "wide.csv"
        path.write_text("\n".join([f"name,{header}", *rows]))
        started = time.process_time()
        assert read_class_list(path).names == ("class 0", "class 1")
        return time.process_time() - started

    seconds(100)
    assert seconds(16_000) < 8 * max(seconds(4_000), 0.02)  # 16 times if by its square
