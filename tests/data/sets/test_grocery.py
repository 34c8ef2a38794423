"""Grocery Store: the official layout in miniature."""

from pathlib import Path

import pytest

from clipfg.data.readers.class_tables import class_list
from clipfg.data.sets.grocery import read
from clipfg.errors import DataError
from tests.data.layouts import touch, write


def lay_out(root: Path) -> Path:
    header = "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),Icon"
    rows = ["Granny-Smith,0,Apple,0,/i.jpg", "Avocado,1,Avocado,1,/i.jpg"]
    write(root, "classes.csv", [header, *rows, "Oatly-Oat-Milk,2,Oat-Milk,2,/i.jpg"])
    apple = "Fruit/Apple/Granny-Smith/Granny-Smith"
    write(root, "train.txt", [f"train/{apple}_001.jpg, 0, 0"])
    write(root, "val.txt", ["val/Fruit/Avocado/Avocado_001.jpg, 1, 1"])
    write(root, "test.txt", [f"test/{apple}_002.jpg, 0, 0"])
    touch(root, f"train/{apple}_001.jpg", f"test/{apple}_002.jpg")
    touch(root, "val/Fruit/Avocado/Avocado_001.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.labels.tolist() == [0, 1, 0]
    assert manifest.table["split"].to_pylist() == ["train", "val", "test"]
    classes = manifest.classes
    assert classes is not None
    assert classes.names == ("Granny Smith", "Avocado", "Oatly Oat Milk")
    assert classes.lineage("Granny Smith") == ("Apple",)
    assert classes.lineage("Avocado") == ("Avocado (group)",)


def test_lists_that_are_not_as_described(tmp_path: Path) -> None:
    write(lay_out(tmp_path), "test.txt", ["test/Fruit/x.jpg"])
    with pytest.raises(DataError, match="a path and two classes"):
        read(tmp_path)


def test_coarse_classes() -> None:
    classes = class_list("grocery")
    assert len({classes.lineage(name)[0] for name in classes.names}) == 43
