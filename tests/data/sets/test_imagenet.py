"""ImageNet: folders of synsets in miniature, and the names of the installed open_clip."""

from pathlib import Path

import pytest

from clipfg.data.sets.imagenet import CARD, class_list, read, synsets
from clipfg.errors import DataError
from tests.data.layouts import touch


def lay_out(root: Path) -> Path:
    touch(root, "val/n01440764/ILSVRC2012_val_00000293.JPEG", "val/n15075141/a.JPEG")
    touch(root, "val/n02012849/a.JPEG", "val/n03126707/a.JPEG")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    names = class_list().names
    assert [names[label] for label in manifest.labels] == [
        "tench",
        "crane bird",
        "construction crane",
        "toilet paper",
    ]
    assert manifest.splits == {"val": 4}
    assert manifest.expected == CARD.splits["val"]  # nothing is said of training images


def test_synsets_and_names() -> None:
    assert list(synsets()) == sorted(synsets())
    assert len(synsets()) == len(class_list()) == 1000
    assert class_list().names[744] != class_list().names[657] == "missile"
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    ours = class_list().names
    assert [k for k in range(1000) if ours[k] != IMAGENET_CLASSNAMES[k]] == [744, 837]


def test_another_folder(tmp_path: Path) -> None:
    touch(lay_out(tmp_path), "val/n00000001/x.JPEG")
    with pytest.raises(DataError, match="got 'n00000001'"):
        read(tmp_path)
