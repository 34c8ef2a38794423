"""CUB-200-2011: the official layout in miniature, and the real one."""

from pathlib import Path

import pytest

from clipfg.data.readers.class_tables import class_list
from clipfg.data.readers.labels import plain
from clipfg.data.sets.cub200 import CARD, read
from clipfg.errors import DataError, MissingError


def lay_out(root: Path) -> Path:
    """Three images of two classes; the third is listed and not there, a fourth not listed."""
    folders = ["001.Black_footed_Albatross", "002.Laysan_Albatross"]
    files = [f"{folders[0]}/a_1.jpg", f"{folders[1]}/b_1.jpg", f"{folders[1]}/b_2.jpg"]
    for file in files[:2]:
        (root / "images" / file).parent.mkdir(parents=True)
        (root / "images" / file).write_bytes(b"x")
    lists = {
        "classes": [f"{i} {f}" for i, f in enumerate(folders, 1)],
        "images": [f"{i} {f}" for i, f in enumerate(files, 1)],
        "image_class_labels": ["1 1", "2 2", "3 2", "4 2"],
        "train_test_split": ["1 0", "2 1", "3 1", "4 1"],
        "bounding_boxes": ["1 60.0 27.0 325.0 304.0", "3 1.0 1.0 1.0 1.0"],
    }
    for name, lines in lists.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (root / "text" / folders[0]).mkdir(parents=True)
    (root / "text" / folders[0] / "a_1.txt").write_text("a dark bird. \n\nlong wings\n")
    return root


def test_layout(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    assert CARD.holds(root)
    manifest = read(root)
    assert manifest.ids == [
        "images/001.Black_footed_Albatross/a_1.jpg",
        "images/002.Laysan_Albatross/b_1.jpg",
    ]
    assert manifest.uris == [str(root / name) for name in manifest.ids]
    assert manifest.labels.tolist() == [0, 1]
    assert manifest.table["split"].to_pylist() == ["test", "train"]
    assert manifest.column("box") == [[60, 27, 385, 331], None]
    assert manifest.column("captions") == [["a dark bird.", "long wings"], None]
    assert manifest.expected == 4
    assert manifest.classes is not None
    assert manifest.classes.names == ("Black-footed Albatross", "Laysan Albatross")
    assert manifest.classes.lineage("Laysan Albatross") == ("Diomedeidae", "Procellariiformes")


def test_without_boxes_and_captions(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    (root / "bounding_boxes.txt").unlink()
    (root / "text").rename(root / "away")
    assert read(root).table.column_names == ["id", "uri", "split", "label"]


def test_other_classes_get_names_from_their_folders(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    (root / "classes.txt").write_text("1 001.Green_Toucan\n2 002.Laysan_Albatross\n")
    assert read(root).classes == class_list("cub200", ["001.Green_Toucan", "002.Laysan_Albatross"])
    assert class_list("cub200", ["001.Green_Toucan"]).names == ("Green Toucan",)


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("image_class_labels", "1 1\n", r"a class for 002\.Laysan_Albatross/b_1\.jpg"),
        ("images", "one a.jpg\n", r"a class for a\.jpg"),
        ("images", "1\n", "a key and a value"),
        ("bounding_boxes", "1 60 27\n", "width and height, got '1 60 27'"),
        ("image_class_labels", "1 x\n", "the number of its class, got '1 x'"),
        ("image_class_labels", "1 1\n2 9\n3 2\n", "labels from 0 to 1"),
    ],
)
def test_lists_that_contradict(tmp_path: Path, file: str, text: str, words: str) -> None:
    root = lay_out(tmp_path)
    (root / f"{file}.txt").write_text(text)
    with pytest.raises(DataError, match=words):
        read(root)


def test_nothing_there(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    (root / "images").rename(root / "away")
    with pytest.raises(MissingError, match=r"found none.*CUB_200_2011\.tgz"):
        read(root)


def test_table_of_names() -> None:
    classes = class_list("cub200")
    assert len(classes) == CARD.classes == 200
    for name in classes.names:
        lineage = classes.lineage(name)
        assert len(lineage) == 2, name
        assert lineage[0].endswith("idae")
        assert lineage[1].endswith("formes")
    assert len({classes.lineage(name)[0] for name in classes.names}) == 37
    assert classes.names[9] == "Red-winged Blackbird"
    assert classes.lineage("Common Yellowthroat")[0] == "Parulidae"
    assert classes.lineage("House Sparrow")[0] == "Passeridae"
    assert classes.lineage("Scarlet Tanager")[0] == "Cardinalidae"


@pytest.mark.shared
def test_real(shared: Path) -> None:
    root = shared / "data/CUB_200_2011"
    manifest = read(root)
    assert len(manifest) == 300
    assert manifest.expected == CARD.images == 11788
    assert manifest.splits == {"test": 123, "train": 177}
    assert set(manifest.labels.tolist()) == set(range(10))
    boxes = manifest.column("box")
    captions = manifest.column("captions")
    assert boxes is not None
    assert captions is not None
    assert all(x0 < x1 and y0 < y1 for x0, y0, x1, y1 in boxes)
    assert all(len(texts) == 10 for texts in captions)
    # Our names are the folders' but for marks, and for what an English speaker leaves out there.
    folders = [line.split(".", 1)[1] for line in (root / "classes.txt").read_text().splitlines()]
    changed = [
        (folder, name)
        for folder, name in zip(folders, class_list("cub200").names, strict=True)
        if plain(folder) not in {plain(name), plain(name.replace("'s", ""))}
    ]
    assert changed == [("Artic_Tern", "Arctic Tern")]
