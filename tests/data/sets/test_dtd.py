"""DTD: the official layout in miniature, of which partition 1 is read."""

from pathlib import Path

from clipfg.data.sets.dtd import read
from tests.data.layouts import touch, write


def lay_out(root: Path) -> Path:
    write(root, "labels/train1.txt", ["polka-dotted/polka-dotted_0003.jpg"])
    write(root, "labels/val1.txt", ["banded/banded_0002.jpg"])
    write(root, "labels/test1.txt", ["banded/banded_0005.jpg", "woven/woven_0001.jpg"])
    write(root, "labels/train2.txt", ["banded/banded_0005.jpg"])
    touch(root, "images/banded/banded_0002.jpg", "images/banded/banded_0005.jpg")
    touch(root, "images/polka-dotted/polka-dotted_0003.jpg")
    return root


def test_layout(tmp_path: Path) -> None:
    manifest = read(lay_out(tmp_path))
    assert manifest.ids == [
        "images/polka-dotted/polka-dotted_0003.jpg",
        "images/banded/banded_0002.jpg",
        "images/banded/banded_0005.jpg",
    ]
    assert manifest.labels.tolist() == [1, 0, 0]
    assert manifest.table["split"].to_pylist() == ["train", "val", "test"]
    assert manifest.expected == 4
    assert manifest.classes is not None
    assert manifest.classes.names == ("banded", "polka-dotted", "woven")
