"""EuroSAT: the official layout in miniature, its drawn split and CoOp's."""

import json
from collections import Counter
from pathlib import Path

from clipfg.data.readers.class_tables import class_list
from clipfg.data.sets.eurosat import read
from tests.data.layouts import touch


def lay_out(root: Path) -> Path:
    for kind in ("AnnualCrop", "HerbaceousVegetation", "PermanentCrop", "SeaLake"):
        touch(root, *(f"{kind}/{kind}_{n}.jpg" for n in range(1, 11)))
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path / "2750"))
    assert manifest.classes == class_list("eurosat")
    assert manifest.splits == {"test": 12, "train": 20, "val": 8}
    assert set(manifest.labels.tolist()) == {0, 2, 6, 9}
    assert manifest.expected == 27000
    per_class = Counter(zip(manifest.table["split"].to_pylist(), manifest.labels, strict=True))
    assert set(per_class.values()) == {5, 2, 3}


def test_the_drawn_split_does_not_depend_on_anything_else(tmp_path: Path) -> None:
    first = read(lay_out(tmp_path / "a"))
    touch(tmp_path / "b/2750", *(f"River/River_{n}.jpg" for n in range(4)))
    second = read(lay_out(tmp_path / "b/2750"))
    splits = dict(zip(second.ids, second.table["split"].to_pylist(), strict=True))
    assert [splits[id_] for id_ in first.ids] == first.table["split"].to_pylist()
    assert first.table["split"].to_pylist()[:5] == ["train", "train", "train", "train", "val"]


def test_coop_split_is_taken_where_it_lies_beside(tmp_path: Path) -> None:
    lay_out(tmp_path / "2750")
    rows = {
        "train": [["SeaLake/SeaLake_1.jpg", 1, "Sea or Lake"]],
        "val": [],
        "test": [["AnnualCrop/AnnualCrop_2.jpg", 0, "Annual Crop Land"]],
    }
    (tmp_path / "split_zhou_EuroSAT.json").write_text(json.dumps(rows))
    manifest = read(tmp_path / "2750")
    assert manifest.name == "eurosat"
    assert manifest.ids == ["SeaLake/SeaLake_1.jpg", "AnnualCrop/AnnualCrop_2.jpg"]
    assert manifest.splits == {"test": 1, "train": 1}
