"""FG-OVD: the authors' JSON and FG-CLIP's JSONL, with boxes that are none among them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clipfg.data.sets.fgovd import read, read_choices
from clipfg.errors import DataError
from clipfg.types import ChoiceSet
from tests.data.layouts import touch, write

PICTURE = "val2017/000000000001.jpg"
MISSING = "val2017/000000000002.jpg"


def row(**changes: Any) -> str:
    """A row as FG-CLIP writes it."""
    given = {
        "img_path": PICTURE,
        "bbox": [10.0, 20.0, 30.0, 40.0],
        "pos_expression": ["A red chair."],
        "neg_expression": ["A blue chair.", "A green chair."],
        "width": 100,
        "height": 80,
    }
    return json.dumps(given | changes)


def official(**changes: Any) -> str:
    """A benchmark of one box, as the authors write it."""
    texts = ("A red cup.", "A blue cup.", "A tin cup.")
    given = {
        "images": [{"id": 7, "file_name": PICTURE, "width": 100, "height": 80}],
        "annotations": [
            {"id": 3, "image_id": 7, "bbox": [0, 0, 50, 40], "category_id": 0}
            | {"neg_category_ids": [1, 2]}
        ],
        "categories": [{"id": number, "name": text} for number, text in enumerate(texts)],
    }
    return json.dumps(given | changes)


def lay_out(root: Path) -> Path:
    write(root, "benchmarks/1_attributes.json", [official()])
    write(root, "fgovd_json/2_attributes_llava.jsonl", [row(), row(img_path=MISSING)])
    touch(root, PICTURE)
    return root


def test_layout(tmp_path: Path) -> None:
    found = read_choices(lay_out(tmp_path))
    assert found.expected == 2
    assert found.subsets == ("hard", "medium")
    hard, medium = found.choices
    assert (hard.id, medium.id) == ("hard/3", "medium/1")
    assert hard.texts == ("A red cup.", "A blue cup.", "A tin cup.")
    assert hard.box == (0, 0, 50, 40)
    assert medium.texts == ("A red chair.", "A blue chair.", "A green chair.")
    assert medium.box == (10, 20, 40, 60)
    manifest = read(tmp_path)
    assert manifest.ids == [PICTURE]
    assert manifest.expected == 2
    (regions,) = manifest.column("regions") or ()
    assert [region["box"] for region in regions] == [[0, 0, 50, 40], [10, 20, 40, 60]]
    assert [region["phrase"] for region in regions] == ["A red cup.", "A red chair."]


@pytest.mark.parametrize("folder", ["images/val2017", "coco/val2017", "coco/images/val2017", "."])
def test_where_images_are_found(tmp_path: Path, folder: str) -> None:
    write(tmp_path, "1_attributes.jsonl", [row()])
    touch(tmp_path, f"{folder}/{Path(PICTURE).name}")
    assert Path(read_choices(tmp_path).choices[0].uri).is_file()


def test_images_beside_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "fgovd", "1_attributes.jsonl", [row()])
    touch(tmp_path, f"coco/{PICTURE}")
    assert read_choices(tmp_path / "fgovd").choices[0].uri == str(tmp_path / "coco" / PICTURE)


BAD = {
    "no area": (row(bbox=[10, 20, 0, 40]), r"with an area, got \[10, 20, 0, 40\]"),
    "negative": (row(bbox=[10, 20, -5, 40]), "with an area"),
    "NaN": (row(bbox=[10, float("nan"), 5, 40]), "four numbers"),
    "three": (row(bbox=[10, 20, 5]), "four numbers"),
    "texts": (row(bbox=["1", "2", "3", "4"]), "four numbers"),
    "none": (row(bbox=None), "Expected a box"),
    "outside": (row(bbox=[90, 20, 100, 40]), "100 x 80 pixels.*which lies outside"),
    "corners": (row(bbox=[50, 40, 95, 75]), "lies outside"),
    "no false text": (row(neg_expression=[]), "false text beside the true one, 'A red chair.'"),
    "only the true": (row(neg_expression=["A red chair."]), "Expected a false text"),
    "no true text": (row(pos_expression=[]), "Expected a true text"),
    "blank": (row(neg_expression=[" "]), "Expected a true text and false ones"),
    "number": (row(neg_expression=[5]), "Expected a true text and false ones"),
    "no image": (row(img_path=None), "name of an image, got None"),
    "broken": ('{"img_path": "val20', "JSON object in each line"),
    "a list": ("[1, 2]", "name of an image"),
}


@pytest.mark.parametrize(("line", "reason"), BAD.values(), ids=BAD)
def test_rows_that_cannot_be_used(tmp_path: Path, line: str, reason: str) -> None:
    write(tmp_path, "1_attributes.jsonl", [row(), line, row()])
    touch(tmp_path, PICTURE)
    found = read_choices(tmp_path)
    assert [choice.id for choice in found.choices] == ["hard/1", "hard/3"]
    (failure,) = found.failures
    assert failure.id == "hard/2"
    assert failure.uri == str(tmp_path / "1_attributes.jsonl")
    assert re.search(reason, failure.reason), failure.reason


def test_boxes_a_pixel_outside_are_cut(tmp_path: Path) -> None:
    write(tmp_path, "1_attributes.jsonl", [row(bbox=[49.5, 0, 51, 80])])
    touch(tmp_path, PICTURE)
    assert read_choices(tmp_path).choices[0].box == (49.5, 0, 100, 80)


def test_nothing_of_use(tmp_path: Path) -> None:
    write(tmp_path, "1_attributes.jsonl", [row(bbox=[1, 1, 0, 0])])
    with pytest.raises(DataError, match="got none of use, the first since: Expected a box"):
        read_choices(tmp_path)
    write(tmp_path, "1_attributes.json", ['{"images": []}'])
    with pytest.raises(DataError, match="images, annotations and categories in"):
        read_choices(tmp_path)
    write(tmp_path, "1_attributes.json", ["{"])
    with pytest.raises(DataError, match="Expected JSON in"):
        read_choices(tmp_path)


def test_annotations_of_unknown_texts(tmp_path: Path) -> None:
    write(tmp_path, "1_attributes.json", [official(categories=[{"id": 0, "name": "A red cup."}])])
    with pytest.raises(DataError, match="Expected a true text and false ones"):
        read_choices(tmp_path)


def test_resized_images_are_noticed(tmp_path: Path) -> None:
    write(tmp_path, "1_attributes.jsonl", [row()])
    (tmp_path / "val2017").mkdir()
    Image.new("RGB", (100, 80)).save(tmp_path / PICTURE)
    assert len(read_choices(tmp_path)) == 1
    Image.new("RGB", (50, 40)).save(tmp_path / PICTURE)
    with pytest.raises(DataError, match=r"none of use.*of 100 x 80 pixels.*got 50 x 40"):
        read_choices(tmp_path)


@pytest.mark.shared
def test_published_rows(shared: Path) -> None:
    found: ChoiceSet = read_choices(shared / "data" / "coco-slice")
    assert {name: len(found.select(name)) for name in found.subsets} == {
        "hard": 91,
        "medium": 76,
        "easy": 30,
        "trivial": 91,
    }
    assert len(found.failures) == 7  # on images that are there at another size alone
    assert all("got 224 x 224" in failure.reason for failure in found.failures)
    assert all(len(choice.texts) == 11 for choice in found.choices)
    first = found.choices[0]
    assert first.texts[:2] == (
        "A chair with a back made of plastic.",
        "A chair with a back made of fabric.",
    )
    assert first.box == pytest.approx((138.51, 37.75, 186.56, 62.95))
    assert first.uri.endswith("coco-slice/val2017/000000078915.jpg")


@pytest.mark.shared
def test_the_published_form(shared: Path, tmp_path: Path) -> None:
    """The authors' own sample: 24 boxes on 20 images, of which none is here."""
    source = shared / "data" / "formats" / "fgovd_pattern.json"
    write(tmp_path, "pattern.json", [source.read_text(encoding="utf-8")])
    names = {image["file_name"] for image in json.loads(source.read_text())["images"]}
    touch(tmp_path, *names)
    found = read_choices(tmp_path)
    assert (len(found), found.expected, found.failures) == (24, 20, ())
    assert found.choices[0].texts[:2] == (
        "A dark blue striped sponge.",
        "A dark blue woven sponge.",
    )
    assert sorted({len(choice.texts) for choice in found.choices}) == [8, 9]
