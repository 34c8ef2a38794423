"""UCF101's middle frames: the layout in miniature, by the official lists and by CoOp's."""

import json
from pathlib import Path

import pytest

from clipfg.data.readers.class_tables import class_list
from clipfg.data.sets.ucf101 import read
from clipfg.errors import MissingError
from tests.data.layouts import touch, write


def lay_out(root: Path) -> Path:
    """The lists say HandstandPushups, its videos HandStandPushups, the frames Handstand_Pushups."""
    write(
        root,
        "ucfTrainTestlist/trainlist01.txt",
        ["ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1", "YoYo/v_YoYo_g25_c05.avi 101"],
    )
    write(
        root,
        "ucfTrainTestlist/testlist01.txt",
        ["HandstandPushups/v_HandStandPushups_g01_c01.avi", "YoYo/v_YoYo_g01_c01.avi"],
    )
    touch(
        root,
        "UCF-101-midframes/Apply_Eye_Makeup/v_ApplyEyeMakeup_g08_c01.jpg",
        "UCF-101-midframes/Handstand_Pushups/v_HandStandPushups_g01_c01.jpg",
        "UCF-101-midframes/Yo_Yo/v_YoYo_g25_c05.jpg",
    )
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    names = class_list("ucf101").names
    assert [names[label] for label in manifest.labels] == [
        "apply eye makeup",
        "yo-yo",
        "handstand push-ups",
    ]
    assert manifest.table["split"].to_pylist() == ["train", "train", "test"]
    assert manifest.expected == 4


def test_coop_split_alone(tmp_path: Path) -> None:
    lay_out(tmp_path)
    (tmp_path / "ucfTrainTestlist").rename(tmp_path / "away")
    with pytest.raises(MissingError, match="CoOp's split file"):
        read(tmp_path)
    row = ["Yo_Yo/v_YoYo_g25_c05.jpg", 0, "Yo_Yo"]
    (tmp_path / "split_zhou_UCF101.json").write_text(json.dumps({"train": [row]}))
    manifest = read(tmp_path)
    assert manifest.ids == ["UCF-101-midframes/Yo_Yo/v_YoYo_g25_c05.jpg"]
    assert manifest.classes is not None
    assert manifest.classes.names == ("Yo Yo",)
