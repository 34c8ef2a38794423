"""Boxes of one file on pictures that come from elsewhere."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clipfg.data.loading import load_dataset
from clipfg.data.readers.formats.joining import join_boxes
from clipfg.data.readers.pictures import read_images
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList, Hints, Manifest


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    for name in ("train/jay/1.jpg", "train/owl/2.jpg", "test/jay/3.jpg", "test/owl/4.jpg"):
        path = tmp_path / "birds" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40)).save(path)
    return tmp_path / "birds"


def table(folder: Path, *rows: str, header: str = "path,x0,y0,x1,y1") -> Path:
    path = folder / "boxes.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def labels(manifest: Manifest) -> dict[str, str]:
    assert manifest.classes is not None
    names = manifest.classes.names
    return {i: names[k] for i, k in zip(manifest.ids, manifest.labels, strict=True) if k >= 0}


def test_items_keep_what_their_pictures_have(birds: Path, tmp_path: Path):
    path = table(tmp_path, "1.jpg,1,2,30,20", "4.jpg,1,2,30,20", "1.jpg,30,2,50,20")
    found = load_dataset(str(birds), hints=Hints(boxes=path))
    assert labels(found) == {
        "test/jay/3.jpg": "jay",
        "test/owl/4.jpg#1,2,30,20": "owl",
        "train/jay/1.jpg#1,2,30,20": "jay",
        "train/jay/1.jpg#30,2,50,20": "jay",
        "train/owl/2.jpg": "owl",
    }
    assert found.splits == {"train": 3, "test": 2}
    assert found.reading is not None
    assert any("2 pictures" in doubt and "whole" in doubt for doubt in found.reading.doubts)


def test_labels_of_boxes_count_for_more(birds: Path, tmp_path: Path):
    header = "path,label,x0,y0,x1,y1"
    path = table(tmp_path, "1.jpg,Owl,1,2,30,20", "1.jpg,,30,2,50,20", header=header)
    found = labels(join_boxes(load_dataset(str(birds)), path))
    assert found["train/jay/1.jpg#1,2,30,20"] == "owl"
    assert found["train/jay/1.jpg#30,2,50,20"] == "jay"
    unknown = table(tmp_path, "1.jpg,gull,1,2,30,20", header=header)
    with pytest.raises(DataError, match="gull"):
        join_boxes(load_dataset(str(birds)), unknown)


def test_a_detector_never_names_species_of_labelled_pictures(birds: Path, tmp_path: Path):
    found = {"category": "4", "conf": 0.9, "bbox": [0.1, 0.1, 0.5, 0.5]}
    images = [
        {"file": "birds/train/jay/1.jpg", "detections": [found]},
        {"file": "birds/train/owl/2.jpg", "detections": []},
        {"file": "birds/test/jay/3.jpg", "detections": None, "failure": "cannot be read"},
    ]
    path = tmp_path / "md.json"
    path.write_text(json.dumps({"images": images, "detection_categories": {"4": "bird"}}))
    joined = load_dataset(str(birds), hints=Hints(boxes=path))
    assert labels(joined) == {"train/jay/1.jpg#6,4,36,24": "jay", "test/owl/4.jpg": "owl"}
    assert joined.reading is not None
    why = {one.what: one.why for one in joined.reading.left_out}
    assert why["train/owl/2.jpg"] == "nothing is marked in it"
    assert why["birds/test/jay/3.jpg"] == "the detector failed on it"


def test_photos_get_boxes_wherever_they_are(birds: Path, tmp_path: Path):
    path = table(tmp_path, r"C:\cards\1.jpg,1,2,30,20", "3,1,2,30,20")
    photos = read_images([birds / "train", birds / "test/jay/3.jpg"])
    found = join_boxes(photos, path)
    boxed = {
        uri: box for uri, box in zip(found.uris, found.column("box") or (), strict=True) if box
    }
    assert {Path(uri).name for uri in boxed} == {"1.jpg", "3.jpg"}
    assert len(found) == 3


def test_class_lists_hold(birds: Path, tmp_path: Path):
    path = table(tmp_path, "1.jpg,OWL,1,2,30,20", header="path,label,x0,y0,x1,y1")
    classes = ClassList(("owl", "jay", "gull"))
    found = load_dataset(str(birds), classes=classes, hints=Hints(boxes=path))
    assert found.classes == classes
    assert labels(found)["train/jay/1.jpg#1,2,30,20"] == "owl"


def test_boxes_are_joined_once(birds: Path, tmp_path: Path):
    path = table(birds, "1.jpg,1,2,30,20")
    assert len(load_dataset(str(birds), hints=Hints(boxes=path))) == 4
    with pytest.raises(UsageError, match="boxes of its own"):
        join_boxes(load_dataset(str(path)), path)


def test_some_wrong_boxes_are_failures_and_many_are_refused(birds: Path, tmp_path: Path):
    right = [f"1.jpg,{x},2,{x + 20},20" for x in range(20)]
    found = load_dataset(str(birds), hints=Hints(boxes=table(tmp_path, *right, "2.jpg,50,2,90,9")))
    assert found.column("box")[-1] == [50, 2, 90, 9]  # kept as it is: the run says why it fails
    assert found.reading is not None
    assert any("1 boxes" in doubt for doubt in found.reading.doubts)
    sizes = [f"1.jpg,{x},15,20,20" for x in range(5, 40)]
    with pytest.raises(DataError, match="would fit as xywh"):
        load_dataset(str(birds), hints=Hints(boxes=table(tmp_path, *sizes)))
    fixed = Hints(boxes=table(tmp_path, *sizes), box_format="xywh")
    assert len(load_dataset(str(birds), hints=fixed)) == 35 + 3


def test_named_columns_are_taken(birds: Path, tmp_path: Path):
    header = "who,label,bird,x0,y0,x1,y1"
    path = table(tmp_path, "1.jpg,7,owl,1,2,30,20", header=header)
    hints = Hints(boxes=path, path_column="who", label_column="bird")
    with pytest.raises(UsageError):  # without a known name of the path it is no table of boxes
        load_dataset(str(birds), hints=hints)
    path = table(tmp_path, "1.jpg,7,owl,1,2,30,20", header=header.replace("who", "path"))
    found = load_dataset(str(birds), hints=Hints(boxes=path, label_column="bird"))
    assert labels(found)["train/jay/1.jpg#1,2,30,20"] == "owl"
    with pytest.raises(UsageError, match="kind"):
        load_dataset(str(birds), hints=Hints(boxes=path, label_column="kind"))
