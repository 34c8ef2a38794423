"""What `--to` writes is read back with the same labels and boxes, whatever is in the names."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from clipfg.data.loading import load_dataset
from clipfg.data.readers.formats.joining import join_boxes
from clipfg.data.readers.formats.xml_tree import read_xml
from clipfg.data.readers.walk import walk
from clipfg.errors import UsageError
from clipfg.options import PredictOptions
from clipfg.types import ClassList, Manifest
from clipfg.workflows.answer_files.answers import ANSWER_FORMATS, Answers, answer_formats
from clipfg.workflows.answer_files.export import write_answers
from clipfg.workflows.predict import run_predict
from clipfg.workflows.run_folder import Failures, RunFolder
from tests.workflows.jobs import job

CLASSES = ClassList(
    ('Jay, "blue" & <co>', "Großer|Brachvogel", "Mallard"),
    {'Jay, "blue" & <co>': "Corvidae", "Corvidae": "Passeriformes"},
)
JAY, CURLEW, MALLARD = CLASSES.names
WHOLE: list[dict[str, Any]] = [
    {"id": "1.jpg", "label": JAY, "probability": 0.97},
    {"id": "site 1/ü 2.jpg", "label": CURLEW, "probability": 0.95},
    {"id": "site 1/3.jpg", "label": MALLARD, "probability": 0.99},
    {"id": "4.jpg", "label": MALLARD, "probability": 0.4},
]
BOXED: list[dict[str, Any]] = [
    {"id": "1.jpg#2,3,20,15", "label": JAY, "probability": 0.97, "box": [2, 3, 20, 15]},
    {"id": "1.jpg#30,10,60,40", "label": MALLARD, "probability": 0.96, "box": [30, 10, 60, 40]},
    {"id": "site 1/3.jpg#0,0,9,9", "label": CURLEW, "probability": 0.3, "box": [0, 0, 9, 9]},
]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for row in WHOLE:
        path = tmp_path / "photos" / row["id"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60, 40), "green").save(path)
    return tmp_path / "photos"


def answers(rows: list[dict[str, Any]], photos: Path, tmp_path: Path) -> Answers:
    full = [
        {
            "id": row["id"],
            "uri": str(photos / row["id"].partition("#")[0]),
            "prediction": row["label"],
            "probability": row["probability"],
            "names": [row["label"], *(name for name in CLASSES.names if name != row["label"])],
            "probabilities": [row["probability"], 0.02, 0.01],
            "box": row.get("box"),
        }
        for row in rows
    ]
    table = pa.Table.from_pylist(full)
    pq.write_table(table, path := tmp_path / "predictions.parquet")
    return Answers(path, CLASSES, "a model", {"1.jpg#2,3,20,15": 0.75})


def written(name: str, given: Answers, tmp_path: Path) -> Path:
    with RunFolder(tmp_path / "run", {}, Failures()) as folder:
        files = write_answers(answer_formats(name), given, folder)
    assert files == [ANSWER_FORMATS.get(name).file.rstrip("/")]
    return tmp_path / "run" / files[0]


def labels(manifest: Manifest) -> dict[str, str | None]:
    names = manifest.classes.names if manifest.classes else ()
    return {
        identity: None if label < 0 else names[label]
        for identity, label in zip(manifest.ids, manifest.labels, strict=True)
    }


def back(path: Path, photos: Path) -> dict[str, str | None]:
    """The labels of what was written, put beside the pictures."""
    if path.is_dir():
        shutil.copytree(path, photos, dirs_exist_ok=True)
        return labels(load_dataset(str(photos)))
    shutil.copy(path, photos)
    return labels(load_dataset(str(photos / path.name)))


@pytest.mark.parametrize("name", ["coco", "label-studio", "camtrap-dp", "megadetector"])
def test_answers_for_pictures_come_back(name: str, photos: Path, tmp_path: Path):
    found = back(written(name, answers(WHOLE, photos, tmp_path), tmp_path), photos)
    whole = {identity.removesuffix("#0,0,60,40"): label for identity, label in found.items()}
    assert whole == {row["id"]: row["label"] for row in WHOLE}


@pytest.mark.parametrize("name", ["coco", "label-studio", "camtrap-dp", "megadetector"])
def test_answers_for_boxes_come_back(name: str, photos: Path, tmp_path: Path):
    path = written(name, answers(BOXED, photos, tmp_path), tmp_path)
    assert back(path, photos) == {row["id"]: row["label"] for row in BOXED}
    manifest = load_dataset(str(photos / path.name if path.is_file() else photos))
    expected = np.array([row["box"] for row in BOXED])
    assert np.allclose(manifest.column("box"), expected, atol=0.02)


def test_boxes_go_onto_the_photos(photos: Path, tmp_path: Path):
    path = written("megadetector", answers(BOXED, photos, tmp_path), tmp_path)
    found = join_boxes(load_dataset(str(photos)), path)
    both = {row["id"]: row["label"] for row in BOXED}
    assert labels(found) == both | {"4.jpg": None, "site 1/ü 2.jpg": None}
    assert found.column("confidence") == [0.75, 1.0, None, 1.0, None]


def test_sidecars_are_written_where_sure(photos: Path, tmp_path: Path):
    path = written("xmp", answers(WHOLE, photos, tmp_path), tmp_path)
    files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*.xmp"))
    assert files == ["1.jpg.xmp", "site 1/3.jpg.xmp", "site 1/ü 2.jpg.xmp"]
    words = [element.text for element in read_xml(path / "1.jpg.xmp").iter() if element.text]
    assert [w for w in words if w.strip()][:3] == ["Passeriformes", "Corvidae", JAY]
    assert f"Passeriformes|Corvidae|{JAY}" in words
    found = back(path, photos)
    assert found["1.jpg"] == JAY
    assert found["site 1/ü 2.jpg"] == "Großer/Brachvogel"  # a bar parts the levels of a keyword


def test_links_lead_to_the_photos(photos: Path, tmp_path: Path):
    path = written("links", answers(WHOLE, photos, tmp_path), tmp_path)
    links = {link.relative_to(path).as_posix(): link.resolve() for link in path.rglob("*.jpg")}
    assert links["Mallard/site 1__3.jpg"] == photos / "site 1/3.jpg"
    assert links["_unlabeled/4.jpg"] == photos / "4.jpg"
    assert len(links) == 4
    found = labels(load_dataset(str(path)))
    assert found["Mallard/site 1__3.jpg"] == "Mallard"
    assert found["_unlabeled/4.jpg"] is None


def test_links_of_archives_are_refused(photos: Path, tmp_path: Path):
    rows = answers(WHOLE[:1], photos, tmp_path)
    table = pq.read_table(rows.predictions)
    place = table.column_names.index("uri")
    inside = table.set_column(place, "uri", pa.array(["tar:/a.tar?offset=1"]))
    pq.write_table(inside, rows.predictions)
    with pytest.raises(UsageError, match="unpack"):
        written("links", rows, tmp_path)


def test_names_never_lead_out_of_the_folder(photos: Path, tmp_path: Path):
    given = answers(WHOLE[:1], photos, tmp_path)
    table = pq.read_table(given.predictions)
    outside = table.set_column(0, "id", pa.array(["../../etc/x.jpg"]))
    pq.write_table(outside, given.predictions)
    for name in ("xmp", "links"):
        path = written(name, given, tmp_path)
        assert all(path in found.absolute().parents for found in path.rglob("*x.jpg*"))
    assert not (tmp_path.parent / "etc").exists()


def test_megadetector_is_as_published(photos: Path, tmp_path: Path):
    path = written("megadetector", answers(BOXED, photos, tmp_path), tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["info"]["format_version"] == "1.4"
    first = content["images"][0]
    assert first["file"] == "1.jpg"
    assert [one["category"] for one in first["detections"]] == ["1", "1"]
    assert first["detections"][0]["conf"] == 0.75
    best = first["detections"][0]["classifications"][0]
    assert content["classification_categories"][best[0]] == JAY
    assert best[1] == 0.97


def test_a_second_run_replaces_folders(photos: Path, tmp_path: Path):
    written("links", answers(WHOLE, photos, tmp_path), tmp_path)
    path = written("links", answers(WHOLE[:1], photos, tmp_path), tmp_path)
    assert len(list(path.rglob("*.jpg"))) == 1
    assert len(walk(photos).pictures) == len(WHOLE)


def test_unknown_formats_are_refused():
    with pytest.raises(UsageError, match="megadetector"):
        answer_formats("coco,megadetecter")
    with pytest.raises(UsageError, match="--to"):
        answer_formats(" , ")


def test_predict_writes_them(photos: Path, tmp_path: Path):
    (tmp_path / "names.txt").write_text("rose\nlily\n")
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("path,x0,y0,x1,y1\n1.jpg,2,3,20,15\n1.jpg,30,10,60,40\n")
    run = job(
        lambda session: run_predict(session, [photos]),
        PredictOptions,
        classes=tmp_path / "names.txt",
        boxes=boxes,
        to="camtrap-dp,coco",
        model="builtin:florette",
        output=tmp_path / "run",
    )
    assert run.done == 5
    with (tmp_path / "run/camtrap-dp/observations.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["mediaID"] for row in rows].count("1.jpg") == 2
    assert {row["scientificName"] for row in rows} <= {"rose", "lily"}
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert results["answers"] == ["camtrap-dp", "coco.json"]
    assert len(json.loads((tmp_path / "run/coco.json").read_text())["annotations"]) == 5
