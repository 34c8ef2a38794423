"""Country211: the official layout in miniature."""

from pathlib import Path

import pytest

from clipfg.data.sets.country211 import read
from clipfg.errors import DataError
from tests.data.layouts import touch


def lay_out(root: Path) -> Path:
    for place in ("train", "valid", "test"):
        touch(root, f"{place}/AD/1.jpg", f"{place}/XK/2.jpg", f"{place}/ZW/3.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.splits == {"test": 3, "train": 3, "val": 3}
    assert manifest.labels.tolist() == [0, 1, 2] * 3
    assert manifest.ids[3] == "valid/AD/1.jpg"
    assert manifest.classes is not None
    assert manifest.classes.names == ("Andorra", "Kosovo", "Zimbabwe")


def test_another_folder(tmp_path: Path) -> None:
    touch(lay_out(tmp_path), "test/QQ/1.jpg")
    with pytest.raises(DataError, match="'QQ'"):
        read(tmp_path)
