"""Files made to hurt: deep, large, self-expanding, or in other encodings."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clipfg.data.loading import load_dataset
from clipfg.errors import DataError

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (60, 40)).save(tmp_path / "1.jpg")
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        '{"classes": ["a"], "labels": {"1": 0, "2": ' + DEEP + "}}",
        '{"imagePath": "1.jpg", "shapes": [], "flags": ' + DEEP + "}",
        '[{"file": "1.jpg", "label": "a"}, ' + DEEP + "]",
        '{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": ' + DEEP + "}",
    ],
)
def test_deep_json_is_a_data_error(text: str, folder: Path):
    path = folder / "a.json"
    path.write_text(text)
    with pytest.raises(DataError):
        load_dataset(str(path))


def test_deep_xml_is_a_data_error(folder: Path):
    path = folder / "a.xml"
    path.write_text("<annotation>" + "<a>" * 10_000 + "</a>" * 10_000 + "</annotation>")
    with pytest.raises(DataError, match="nested"):
        load_dataset(str(path))


def test_yaml_that_expands_is_a_data_error(folder: Path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12)]
    (folder / "data.yaml").write_text("\n".join([*lines, "names: *a11", "train: ."]))
    with pytest.raises(DataError, match="aliased YAML"):
        load_dataset(str(folder / "data.yaml"))


def test_xml_reads_no_other_file(folder: Path):
    secret = folder / "secret.txt"
    secret.write_text("hidden")
    (folder / "a.xml").write_text(
        f'<!DOCTYPE annotation [<!ENTITY x SYSTEM "file://{secret}">]>'
        "<annotation><filename>&x;</filename></annotation>"
    )
    with pytest.raises(DataError, match="entities"):
        load_dataset(str(folder / "a.xml"))


def test_windows_latin_tables_are_read(folder: Path):
    text = "path,label,x0,y0,x1,y1\n1.jpg,Großer Brachvogel,1,2,30,20\n"
    (folder / "boxes.csv").write_bytes(text.encode("cp1252"))
    manifest = load_dataset(str(folder / "boxes.csv"))
    assert manifest.classes is not None
    assert manifest.classes.names == ("Großer Brachvogel",)


@pytest.mark.parametrize("place", ["/etc", "../../..", "~"])
def test_data_yaml_leads_nowhere_else(place: str, folder: Path, tmp_path: Path):
    (folder / "data.yaml").write_text(f"names: [a]\ntrain: {place}\n")
    with pytest.raises(DataError):
        load_dataset(str(folder / "data.yaml"))


def test_numbers_that_are_none(folder: Path):
    (folder / "md.json").write_text(
        json.dumps(
            {
                "detection_categories": {"1": "animal"},
                "images": [
                    {
                        "file": "1.jpg",
                        "detections": [{"category": "1", "conf": "high", "bbox": [0, 0, 1, None]}],
                    }
                ],
            }
        )
    )
    with pytest.raises(DataError, match=r"md\.json"):
        load_dataset(str(folder / "md.json"))


@pytest.mark.parametrize("box", ["[NaN, 1, 5, 5]", "[1, 1, 1e999, 5]", "[-Infinity, 1, 5, 5]"])
def test_boxes_that_are_not_finite_are_refused(box: str, folder: Path) -> None:
    image = '{"id": 1, "file_name": "1.jpg", "width": 60, "height": 40}'
    given = f'{{"id": 1, "image_id": 1, "category_id": 1, "bbox": {box}}}'
    kinds = '[{"id": 1, "name": "a"}]'
    text = f'{{"images": [{image}], "categories": {kinds}, "annotations": [{given}]}}'
    (folder / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"four finite numbers as the box in 1\.jpg"):
        load_dataset(str(folder / "a.json"))


@pytest.mark.parametrize("box", ["nan,0,5,5", ",0,5,5", "0,0,inf,5"])
def test_boxes_of_a_table_are_finite_or_none(box: str, folder: Path) -> None:
    path = folder / "a.csv"
    path.write_text(f"path,label,x0,y0,x1,y1\n1.jpg,a,{box}\n1.jpg,b,1,1,9,9\n")
    with pytest.raises(DataError, match=r"four finite numbers as the box in 1\.jpg"):
        load_dataset(str(path))
    Image.new("RGB", (60, 40)).save(folder / "2.jpg")
    path.write_text("path,label,x0,y0,x1,y1\n1.jpg,a,1,1,9,9\n2.jpg,b,,,,\n")
    assert load_dataset(str(path)).column("box") == [[1, 1, 9, 9], None]
