"""ARO: relations and attributes of Visual Genome."""

import json
from pathlib import Path
from typing import Any

import pytest

from clipfg.data.sets.aro import read_choices
from clipfg.errors import DataError
from tests.data.layouts import touch, write


def item(image: str, **changes: Any) -> dict[str, Any]:
    return {
        "image_id": 1,
        "image_path": image,
        "bbox_x": 10,
        "bbox_y": 20,
        "bbox_w": 30,
        "bbox_h": 40,
        "true_caption": "the door is to the left of the shirt",
        "false_caption": "the shirt is to the left of the door",
        **changes,
    }


def lay_out(root: Path) -> Path:
    write(root, "visual_genome_relation.json", [json.dumps([item("1.jpg"), item("2.jpg")])])
    write(root, "visual_genome_attribution.json", [json.dumps([item("1.jpg", bbox_w=None)] * 2)])
    touch(root, "images/1.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    found = read_choices(lay_out(tmp_path))
    assert [choice.id for choice in found.choices] == ["relation/0"]
    assert found.choices[0].box == (10, 20, 40, 60)
    assert found.choices[0].texts[0] == "the door is to the left of the shirt"
    assert [failure.id for failure in found.failures] == ["attribution/0", "attribution/1"]
    assert "four numbers" in found.failures[0].reason


def test_another_form(tmp_path: Path) -> None:
    write(tmp_path, "visual_genome_relation.json", ['{"a": 1}'])
    with pytest.raises(DataError, match="Expected a list of items"):
        read_choices(tmp_path)
