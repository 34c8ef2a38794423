"""NWPU-RESISC45: the official layout in miniature, with the drawn split and the published one."""

from pathlib import Path

import pytest

from clipfg.data.sets.resisc45 import read
from clipfg.errors import DataError
from tests.data.layouts import touch, write


def lay_out(root: Path) -> Path:
    for kind in ("airplane", "circular_farmland", "ground_track_field", "thermal_power_station"):
        touch(root, *(f"{kind}/{kind}_{n:03d}.jpg" for n in range(1, 11)))
    return root


def test_drawn_split(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path / "NWPU-RESISC45"))
    assert manifest.splits == {"test": 8, "train": 24, "val": 8}
    assert manifest.expected == 31500
    assert set(manifest.labels.tolist()) == {0, 8, 16, 43}


def test_published_split(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "NWPU-RESISC45")
    write(tmp_path, "resisc45-train.txt", ["airplane_001.jpg", "ground_track_field_002.jpg"])
    write(tmp_path, "resisc45-val.txt", ["airplane_003.jpg"])
    write(tmp_path, "resisc45-test.txt", ["circular_farmland_010.jpg"])
    manifest = read(root)
    assert manifest.labels.tolist() == [0, 16, 0, 8]
    assert manifest.splits == {"test": 1, "train": 2, "val": 1}
    write(tmp_path, "resisc45-val.txt", ["tundra_003.jpg"])
    with pytest.raises(DataError, match=r"got 'tundra_003\.jpg'"):
        read(root)
