"""Any bytes at all in a table, a class list or a list of ids end in a sentence, if not in data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfg.data.readers.class_files import read_class_list
from clipfg.data.readers.support_files import read_support_file
from clipfg.data.readers.table import read
from clipfg.errors import ClipfgError

CELLS = st.sampled_from(
    [
        *("path", "label", "id", "name", "species", "genus", "class", "a.jpg", "b.jpg", "Blue Jay"),
        *(
            "1",
            "1.0",
            "",
            "nan",
            '"',
            '""',
            "[",
            "['x', 'y']",
            "{}",
            '{"name": 1}',
            "\x00",
            "\ufeff",
        ),
        *(
            "é",
            "e\u0301",
            "\ud800",
            "n01580077",
            "-1",
            "9" * 50,
            "http://x/y.jpg",
            "C:\\a.jpg",
            "*a",
        ),
    ]
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=5)
TEXTS = st.builds(
    lambda rows, sep: "\n".join(sep.join(row) for row in rows).encode("utf-8", "surrogatepass"),
    ROWS,
    st.sampled_from([",", ";", "\t", " ", ": "]),
)
FILES = st.one_of(TEXTS, st.binary(max_size=60), TEXTS.map(lambda text: text[: len(text) // 2]))

READERS: list[tuple[Callable[[Path], Any], tuple[str, ...]]] = [
    (read, (".csv", ".tsv", ".jsonl", ".parquet")),
    (read_class_list, (".csv", ".txt", ".json", ".yaml", ".md", ".pbtxt")),
    (read_support_file, (".csv", ".jsonl", ".txt")),
]


def complaint(reader: Callable[[Path], Any], path: Path) -> str:
    """What a reader says of a file that it refuses; any other exception is a fault."""
    try:
        reader(path)
    except ClipfgError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("reader", "suffixes"), READERS, ids=("table", "classes", "ids"))
@given(data=st.data())
def test_any_file(
    reader: Callable[[Path], Any],
    suffixes: tuple[str, ...],
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{data.draw(st.sampled_from(suffixes))}"
    path.write_bytes(data.draw(FILES))
    said = complaint(reader, path)
    assert len(said) < 1500
    assert "\n" not in said


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000, '"\\ud800"', "1e999", "NaN"])
@pytest.mark.parametrize("key", ["label", "path", "box", "regions", "x"])
def test_hostile_values_in_json_lines(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"path": "a.jpg", "label": "x", "{key}": {text}}}\n')
    assert len(complaint(read, path)) < 1000


@pytest.mark.parametrize(
    "rows",
    [
        'a.jpg,Jay,"ok\nb.jpg,Duck,x\nc.jpg,Duck,y\n',
        '"a.jpg,Jay,ok\nb.jpg,Duck,x\n',
        'a.jpg,"Jay,ok\nb.jpg,Duck,x\n',
    ],
)
def test_a_quote_that_is_not_closed_is_told_by_its_line(rows, tmp_path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f"\n\npath,label,note\n{rows}")
    for name in "abc":
        (tmp_path / f"{name}.jpg").touch()
    with pytest.raises(ClipfgError, match=r"quote .* from line 4 on"):
        read(file)
    file.write_text(f"\nname,id,note\n{rows}")
    with pytest.raises(ClipfgError, match=r"quote .* from line 3 on"):
        read_class_list(file)


def test_quotes_that_are_closed_or_within_a_value_are_none_of_these(tmp_path) -> None:
    file = tmp_path / "t.csv"
    notes = ['5" nail', '"two\nlines, ""right"""', '"a "b" c"']
    names = ("a", "b", "c")
    for name in names:
        (tmp_path / f"{name}.jpg").touch()
    rows = [f"{name}.jpg,{name},{note}" for name, note in zip(names, notes, strict=True)]
    file.write_text("\n  \npath,label,note\n" + "\n".join(rows))
    assert read(file).classes.names == names
