"""Stanford Dogs: the official layout in miniature, and WordNet's groups."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from clipfg.data.readers.class_tables import class_list
from clipfg.data.sets.stanford_dogs import read
from clipfg.errors import DataError
from tests.data.layouts import touch

FILES = [
    "n02085620-Chihuahua/n02085620_5927.jpg",
    "n02088364-beagle/n02088364_1.jpg",
    "n02089078-black-and-tan_coonhound/n02089078_9.jpg",
]


def save_list(path: Path, files: list[str], labels: list[int]) -> None:
    """As the official lists are: a cell per file in a column, and a column of labels."""
    cells = np.empty((len(files), 1), dtype=object)
    cells[:, 0] = files
    savemat(path, {"file_list": cells, "labels": np.array(labels, float)[:, None]})


def lay_out(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    save_list(root / "train_list.mat", FILES[:2], [1, 2])
    save_list(root / "test_list.mat", FILES[2:], [3])
    touch(root, *(f"Images/{file}" for file in FILES))
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.ids == [f"Images/{file}" for file in FILES]
    assert manifest.labels.tolist() == [0, 1, 2]
    assert manifest.splits == {"test": 1, "train": 2}
    assert manifest.classes is not None
    assert manifest.classes.names == ("Chihuahua", "Beagle", "Black-and-tan Coonhound")
    assert manifest.classes.lineage("Beagle") == ("hound",)


def test_lists_that_do_not_fit(tmp_path: Path) -> None:
    save_list(lay_out(tmp_path) / "test_list.mat", FILES[2:], [3])
    savemat(tmp_path / "test_list.mat", {"file_list": np.array(FILES[:2], object), "labels": [3.0]})
    with pytest.raises(DataError, match="a label per file"):
        read(tmp_path)


def test_groups() -> None:
    classes = class_list("stanford_dogs")
    groups = {name: classes.lineage(name) for name in classes.names}
    assert groups["Weimaraner"] == groups["Rhodesian Ridgeback"] == ("hound",)
    assert groups["Staffordshire Bullterrier"] == groups["Lhasa"] == ("terrier",)
    assert groups["Flat-coated Retriever"] == groups["Irish Water Spaniel"] == ("sporting dog",)
    assert groups["Kuvasz"] == groups["Affenpinscher"] == ("working dog",)
    assert groups["Dingo"] == groups["African Hunting Dog"] == ("wild dog",)
    assert groups["Pembroke"] == ("corgi",)
