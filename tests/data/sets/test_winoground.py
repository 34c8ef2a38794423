"""Winoground: the list with a folder of images, and the hub's table with images in it."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clipfg.data.sets.winoground import read_choices
from clipfg.data.sources import read as read_bytes
from clipfg.errors import DataError
from tests.data.layouts import touch, write


def example(number: int, tag: str) -> dict[str, object]:
    return {
        "id": number,
        "image_0": f"ex_{number}_img_0",
        "image_1": f"ex_{number}_img_1",
        "caption_0": "some plants surrounding a lightbulb",
        "caption_1": "a lightbulb surrounding some plants",
        "collapsed_tag": tag,
    }


def lay_out(root: Path) -> Path:
    lines = [json.dumps(example(n, tag)) for n, tag in ((0, "Object"), (1, "Relation"))]
    write(root, "examples.jsonl", lines)
    touch(root, *(f"images/ex_{n}_img_{m}.png" for n, m in ((0, 0), (0, 1), (1, 0))))
    return root


def test_layout(tmp_path: Path) -> None:
    found = read_choices(lay_out(tmp_path))
    assert [choice.id for choice in found.choices] == ["example/1/0", "example/1/1", "example/2/0"]
    first, second, _ = found.choices
    assert first.texts == tuple(reversed(second.texts))
    assert first.texts[0] == "some plants surrounding a lightbulb"
    assert first.pair == second.pair == "example/1"
    assert (first.image, second.image) == ("images/ex_0_img_0.png", "images/ex_0_img_1.png")
    assert found.subsets == ("Object", "Relation")
    assert found.expected == 4


def test_the_table_of_the_hub(tmp_path: Path) -> None:
    rows = [
        example(n, "Both")
        | {f"image_{m}": {"bytes": f"{n}{m}".encode(), "path": None} for m in (0, 1)}
        for n in range(3)
    ]
    path = tmp_path / "data" / "test-00000-of-00001.parquet"
    path.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    found = read_choices(tmp_path)
    assert len(found) == found.expected == 6
    assert [read_bytes(choice.uri) for choice in found.choices] == [
        b"00", b"01", b"10", b"11", b"20", b"21",
    ]  # fmt: skip
    assert len({choice.pair for choice in found.choices}) == 3
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="Winoground's table"):
        read_choices(tmp_path)


def test_broken_lines(tmp_path: Path) -> None:
    write(tmp_path, "examples.jsonl", ["{", json.dumps(example(1, "Object"))])
    touch(tmp_path, "images/ex_1_img_0.png", "images/ex_1_img_1.png")
    found = read_choices(tmp_path)
    assert len(found) == 2
    assert [failure.id for failure in found.failures] == ["example/1"]
