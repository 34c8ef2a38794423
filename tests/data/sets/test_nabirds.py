"""NABirds: the official layout in miniature."""

from pathlib import Path

import pytest

from clipfg.data.sets.nabirds import read
from clipfg.errors import DataError
from tests.data.layouts import touch, write


def lay_out(root: Path) -> Path:
    """Nodes 0 to 2 and 10 are above; 295 and 296 are plumages of 10, 817 is a species by itself."""
    classes = ["0 Birds", "1 Ducks, Geese, and Swans", "2 Owls", "10 Common Eider"]
    leaves = ["295 Common Eider (Adult male)", "296 Common Eider (Female)", "817 Barred Owl"]
    write(root, "classes.txt", classes + leaves)
    write(root, "hierarchy.txt", ["1 0", "2 0", "10 1", "295 10", "296 10", "817 2"])
    write(root, "images.txt", ["aa-1 0295/a.jpg", "bb-2 0817/b.jpg", "cc-3 0296/c.jpg"])
    write(root, "image_class_labels.txt", ["aa-1 295", "bb-2 817", "cc-3 296"])
    write(root, "train_test_split.txt", ["aa-1 1", "bb-2 0", "cc-3 0"])
    write(root, "bounding_boxes.txt", ["aa-1 83 59 128 228", "bb-2 1 2 3 4", "cc-3 1 1 1 1"])
    touch(root, "images/0295/a.jpg", "images/0817/b.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.ids == ["images/0295/a.jpg", "images/0817/b.jpg"]
    assert manifest.labels.tolist() == [0, 2]
    assert manifest.table["split"].to_pylist() == ["train", "test"]
    assert manifest.column("box") == [[83, 59, 211, 287], [1, 2, 4, 6]]
    assert manifest.expected == 3
    classes = manifest.classes
    assert classes is not None
    assert classes.names == (
        "Common Eider (Adult male)",
        "Common Eider (Female)",
        "Barred Owl",
    )
    eider = ("Common Eider", "Ducks, Geese, and Swans")
    assert classes.lineage("Common Eider (Adult male)") == eider
    assert classes.lineage("Barred Owl") == ("Owls",)


def test_lists_that_do_not_fit(tmp_path: Path) -> None:
    write(lay_out(tmp_path), "image_class_labels.txt", ["aa-1 295", "bb-2 817"])
    with pytest.raises(DataError, match=r"a class for 0296/c\.jpg"):
        read(tmp_path)
    write(tmp_path, "image_class_labels.txt", ["aa-1 295", "bb-2 817", "cc-3 900"])
    with pytest.raises(DataError, match="a name for class 900"):
        read(tmp_path)
