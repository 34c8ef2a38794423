"""Stanford Cars: the official layout in miniature, and makes and models from all 196 names."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from clipfg.data.readers.class_tables import class_list
from clipfg.data.sets.stanford_cars import read
from clipfg.errors import DataError
from tests.data.layouts import touch

NAMES = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Audi S4 Sedan 2007"]


def annotations(rows: list[tuple[int, int, int, int, int, str]]) -> np.ndarray:
    fields = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname")
    table = np.empty((1, len(rows)), dtype=[(field, object) for field in fields])
    table[0] = rows
    return table


def lay_out(root: Path) -> Path:
    (root / "devkit").mkdir(parents=True)
    names = np.array([NAMES], dtype=object)
    savemat(root / "devkit/cars_meta.mat", {"class_names": names})
    train = annotations([(39, 116, 569, 375, 3, "00001.jpg"), (1, 1, 10, 20, 1, "00002.jpg")])
    savemat(root / "devkit/cars_train_annos.mat", {"annotations": train})
    test = annotations([(30, 52, 246, 147, 2, "00001.jpg")])
    savemat(root / "cars_test_annos_withlabels.mat", {"annotations": test})
    touch(root, "cars_train/00001.jpg", "cars_train/00002.jpg", "cars_test/00001.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.ids == ["cars_train/00001.jpg", "cars_train/00002.jpg", "cars_test/00001.jpg"]
    assert manifest.labels.tolist() == [2, 0, 1]
    assert manifest.table["split"].to_pylist() == ["train", "train", "test"]
    assert manifest.column("box") == [[38, 115, 569, 375], [0, 0, 10, 20], [29, 51, 246, 147]]
    assert manifest.classes is not None
    assert manifest.classes.names == tuple(NAMES)
    assert manifest.classes.lineage("Audi S4 Sedan 2007") == ("Audi S4", "Audi")


def test_as_mirrors_pack_it(tmp_path: Path) -> None:
    lay_out(tmp_path)
    labels = tmp_path / "cars_test_annos_withlabels.mat"
    labels.rename(tmp_path / "devkit" / labels.name)
    (tmp_path / "cars_test").rename(tmp_path / "away")
    (tmp_path / "cars_test").mkdir()
    (tmp_path / "away").rename(tmp_path / "cars_test/cars_test")
    assert "cars_test/cars_test/00001.jpg" in read(tmp_path).ids


def test_labels_outside_the_names(tmp_path: Path) -> None:
    lay_out(tmp_path)
    test = annotations([(1, 1, 2, 2, 4, "00001.jpg")])
    savemat(tmp_path / "cars_test_annos_withlabels.mat", {"annotations": test})
    with pytest.raises(DataError, match="labels from 0 to 2"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "model", "make"),
    [
        ("Aston Martin V8 Vantage Coupe 2012", "Aston Martin V8 Vantage", "Aston Martin"),
        ("Acura TL Type-S 2008", "Acura TL Type-S", "Acura"),
        ("Chevrolet Silverado 1500 Extended Cab 2012", "Chevrolet Silverado 1500", "Chevrolet"),
        ("Land Rover LR2 SUV 2012", "Land Rover LR2", "Land Rover"),
        ("Dodge Caravan Minivan 1997", "Dodge Caravan", "Dodge"),
        ("smart fortwo Convertible 2012", "smart fortwo", "smart"),
    ],
)
def test_make_and_model(name: str, model: str, make: str) -> None:
    assert class_list("stanford_cars").lineage(name) == (model, make)


def test_all_makes() -> None:
    classes = class_list("stanford_cars")
    makes = {classes.lineage(name)[-1] for name in classes.names}
    assert len(makes) == 49
    assert {"AM General", "Rolls-Royce", "MINI", "Mercedes-Benz", "Ram"} <= makes
    assert all(len(classes.lineage(name)) == 2 for name in classes.names)
