"""SugarCrepe: a file of captions per category."""

import json
from pathlib import Path

import pytest

from clipfg.data.sets.sugarcrepe import SIZES, read_choices
from clipfg.errors import MissingError
from tests.data.layouts import touch, write


def captions(*files: str) -> str:
    """A category as its authors write it."""
    return json.dumps(
        {
            str(number): {
                "filename": file,
                "caption": f"a dog and {number} cats",
                "negative_caption": f"a cat and {number} dogs",
            }
            for number, file in enumerate(files)
        }
    )


def lay_out(root: Path) -> Path:
    write(root, "data/swap_obj.json", [captions("000000000001.jpg", "000000000002.jpg")])
    write(root, "data/add_att.json", [captions("000000000001.jpg")])
    touch(root, "val2017/000000000001.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    found = read_choices(lay_out(tmp_path))
    assert found.subsets == ("add_att", "swap_obj")
    assert [choice.id for choice in found.choices] == ["add_att/0", "swap_obj/0"]
    assert found.choices[1].texts == ("a dog and 0 cats", "a cat and 0 dogs")
    assert found.choices[1].box is None
    assert found.expected == 2
    assert found.images().ids == ["val2017/000000000001.jpg"]


def test_rows_that_cannot_be_used(tmp_path: Path) -> None:
    broken = {
        "0": {"filename": "000000000001.jpg", "caption": "a dog", "negative_caption": "a dog"},
        "1": {"filename": "000000000001.jpg", "caption": "a dog"},
        "2": ["a dog"],
    }
    write(tmp_path, "swap_att.json", [json.dumps(broken)])
    write(tmp_path, "swap_obj.json", [captions("000000000001.jpg")])
    touch(tmp_path, "val2017/000000000001.jpg")
    found = read_choices(tmp_path)
    assert [failure.id for failure in found.failures] == [f"swap_att/{n}" for n in range(3)]
    assert "Expected a false text" in found.failures[0].reason
    assert len(found) == 1
    assert found.select("swap_obj").failures == ()


def test_the_published_number_of_captions() -> None:
    assert sum(SIZES.values()) == 7512  # Hsieh et al. 2023, table 2


@pytest.mark.shared
def test_published_captions(shared: Path) -> None:
    found = read_choices(shared / "data" / "coco-slice")
    counts = {name: len(found.select(name)) for name in found.subsets}
    assert counts == {
        "add_att": 13,
        "add_obj": 61,
        "replace_att": 20,
        "replace_obj": 45,
        "replace_rel": 45,
        "swap_att": 27,
        "swap_obj": 10,
    }
    assert not found.failures
    with pytest.raises(MissingError, match=r"images of SugarCrepe.*val2017"):
        read_choices(shared / "data" / "formats")
