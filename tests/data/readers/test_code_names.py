"""Names of ids from the files that lie beside: an id is an identity, never a place in a list."""

from pathlib import Path

import pytest

from clipfg.data.readers.code_names import names_of_codes

SYNSETS = ["n01534433", "n01580077"]


def named(folder: Path, file: str, content: str, codes: list[str]) -> dict[str, str]:
    (folder / file).write_text(content, encoding="utf-8")
    names, source = names_of_codes(codes, [folder])
    assert source == (file if names else "")
    return names


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("words.txt", "n01580077\tBlue Jay\nn01534433\tBobolink, ricebird\nn1\tx\n"),
        ("LOC_synset_mapping.txt", "n01534433 Bobolink, ricebird\nn01580077 Blue Jay, jay\n"),
        ("index.json", '{"0": ["n01580077", "Blue_Jay"], "1": ["n01534433", "Bobolink"]}'),
        ("Labels.json", '{"n01580077": "Blue Jay, jay", "n01534433": "Bobolink"}'),
        ("names.csv", "synset,count,name\nn01580077,3,Blue Jay\nn01534433,4,Bobolink\n"),
    ],
)
def test_synsets(tmp_path: Path, file: str, content: str) -> None:
    found = {"n01534433": "Bobolink", "n01580077": "Blue Jay"}
    assert named(tmp_path, file, content, SYNSETS) == found


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("cat_to_name.json", '{"21": "fire lily", "3": "canterbury bells", "1": "rose"}'),
        ("classes.json", '{"fire lily": 21, "canterbury bells": 3}'),
        ("labels.txt", "3: canterbury bells\n21: fire lily\n"),
        ("signs.csv", "ClassId;SignName\n3;canterbury bells\n21;fire lily\n"),
        ("a.tsv", "id\tspecies\n3\tcanterbury bells\n3\tcanterbury bells\n21\tfire lily\n"),
    ],
)
def test_numbers(tmp_path: Path, file: str, content: str) -> None:
    found = {"21": "fire lily", "003": "canterbury bells"}
    assert named(tmp_path, file, content, ["003", "21"]) == found


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("short.json", '{"1": "rose", "2": "tulip"}'),
        ("shifted.txt", "0 rose\n1 tulip\n2 lily\n"),
        ("images.txt", "1 a/1.jpg\n2 a/2.jpg\n3 b/1.jpg\n"),
        ("two.csv", "id,name\n1,rose\n2,tulip\n3,lily\n3,iris\n"),
        ("numbers.csv", "id,class\n1,7\n2,8\n3,9\n"),
        ("empty.csv", ""),
        ("list.json", "[1, 2, 3]"),
        ("deep.json", "[" * 100_000),
        ("broken.json", "{"),
    ],
)
def test_files_that_do_not_name_them(tmp_path: Path, file: str, content: str) -> None:
    assert named(tmp_path, file, content, ["1", "2", "3"]) == {}


def test_names_that_two_share_keep_their_ids(tmp_path: Path) -> None:
    names = named(tmp_path, "words.txt", "n02012849\tcrane\nn03126707\tcrane\n", [])
    assert names == {}
    codes = ["n02012849", "n03126707"]
    assert names_of_codes(codes, [tmp_path, tmp_path / "nowhere"])[0] == {
        "n02012849": "crane (n02012849)",
        "n03126707": "crane (n03126707)",
    }
