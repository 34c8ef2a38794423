import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipfg.data.readers.formats import json_stream
from clipfg.data.readers.formats.json_stream import entries
from clipfg.errors import DataError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def plain(tree):
    """What `entries` should give, from the whole tree."""
    if isinstance(tree, list):
        return [(None, value) for value in tree]
    return [
        (key, one)
        for key, value in tree.items()
        for one in (value if isinstance(value, list) else [value])
    ]


@given(tree=st.lists(VALUES) | st.dictionaries(st.text(), VALUES), chunk=st.integers(1, 9))
def test_entries_are_those_of_the_whole(tree, chunk, tmp_path_factory):
    path = tmp_path_factory.mktemp("j") / "a.json"
    path.write_text(json.dumps(tree, indent=chunk % 3 or None), encoding="utf-8")
    before, json_stream.CHUNK = json_stream.CHUNK, chunk
    try:
        assert list(entries(path)) == plain(tree)
    finally:
        json_stream.CHUNK = before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "[1,",
        "[1 2]",
        "[1,]",
        '{"a" 1}',
        '{"a": 1',
        '{"a": [1}',
        "{1: 2}",
        "[1] x",
        "[" * 9**5,
    ],
    ids=range(11),
)
def test_broken_files_are_data_errors(text: str, tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"a\.json"):
        list(entries(path))


def test_other_encodings_are_data_errors(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_bytes('["é"]'.encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        list(entries(path))


def test_an_entry_has_a_largest_size(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(json_stream, "LARGEST", 1000)
    monkeypatch.setattr(json_stream, "CHUNK", 100)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(["x" * 5000]))
    with pytest.raises(DataError, match="entry"):
        list(entries(path))


def test_memory_is_that_of_an_entry(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"file": f"{k}.jpg", "box": [1, 2, 3, k]} for k in range(200_000)]))
    tracemalloc.start()
    try:
        assert sum(1 for _ in entries(path)) == 200_000
        assert tracemalloc.get_traced_memory()[1] < 2 * path.stat().st_size
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
