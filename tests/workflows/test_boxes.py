"""Items that are parts of images, through the jobs: own tables with boxes, regions, the grid."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import clipfg
from clipfg.data import synthflora
from clipfg.data.loading import load_dataset
from clipfg.embedding.framing import Framing
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import load_encoder
from clipfg.errors import StoreError, UsageError
from clipfg.options import IndexBuildOptions, ZeroshotOptions, resolve
from clipfg.store import KeyStore
from clipfg.types import BOX, COLUMNS, ClassList, Manifest
from clipfg.workflows.boxes import boxes_said, framing_of, region_items

LABELS = (0, 60, 120, 180)
MODEL = {"model": "builtin:florette", "precision": "fp32"}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of four flowers each, and a table with a box and a name a flower."""
    folder = tmp_path_factory.mktemp("scenes")
    (folder / "pictures").mkdir()
    lines = ["path,label,x0,y0,x1,y1"]
    for number in range(2):
        scene = Image.new("RGB", (200, 200))
        for place, label in enumerate(LABELS):
            flower = synthflora.flower_at(0, "train", 16 * label + number)
            x, y = 100 * (place % 2), 100 * (place // 2)
            scene.paste(synthflora.draw(flower, 100), (x, y))
            name = synthflora.species()[label].name
            lines.append(f"pictures/{number}.png,{name},{x},{y},{x + 100},{y + 100}")
        scene.save(folder / "pictures" / f"{number}.png")
    (folder / "flowers.csv").write_text("\n".join(lines))
    (folder / "names.txt").write_text("\n".join(synthflora.species()[at].name for at in LABELS))
    return folder


@pytest.fixture(autouse=True)
def cache(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPFG_CACHE_DIR", str(scenes / "cache"))


def test_a_table_with_boxes_is_an_item_a_box(scenes: Path, tmp_path: Path) -> None:
    table = str(scenes / "flowers.csv")
    more = MODEL | {"prompts": "synthflora", "output": tmp_path / "run"}
    run = clipfg.zeroshot(table, crop="tight", **more)
    assert run.done == 8
    assert run.report.metrics["top1"].value >= 0.75
    whole = clipfg.zeroshot(table, crop="whole", **more | {"output": tmp_path / "whole"})
    assert whole.report.metrics["top1"].value <= 0.5  # one picture has one answer, and four names
    rows = clipfg.predict(
        dataset=table, classes=scenes / "names.txt", **more | {"output": tmp_path / "named"}
    ).rows()
    assert [row["box"] for row in rows][:2] == [[0, 0, 100, 100], [100, 0, 200, 100]]


def test_a_head_remembers_how_boxes_were_cut_out(
    scenes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table, head = str(scenes / "flowers.csv"), tmp_path / "head.safetensors"
    few = {"shots": "1", "seeds": 1, "heads": "class-mean", "save": head}
    clipfg.fewshot(table, crop="tight", output=tmp_path / "few", **few, **MODEL)

    def probabilities(run: str, *photos: Path, **options: object) -> list[list[float]]:
        more = MODEL | {"head": head, "output": tmp_path / run}
        return [row["probabilities"] for row in clipfg.predict(*photos, **options, **more).rows()]

    with caplog.at_level(logging.WARNING, logger="clipfg"):
        alike = probabilities("same", dataset=table)
        assert alike == probabilities("tight", dataset=table, crop="tight")
        assert alike != probabilities("square", dataset=table, crop="square")
        assert "these pictures are used whole" not in caplog.text
        assert len(probabilities("whole", scenes / "pictures")) == 2
        assert "these pictures are used whole" in caplog.text


def test_what_boxes_are_taken_for() -> None:
    columns = {"id": list("ab"), "uri": ["x", "x"]}
    boxes = pa.array([[0, 0, 1, 1], None], BOX)
    own, named = (Manifest.build(n, columns | {"box": boxes}) for n in ("photos", "cub200"))
    framing: Callable[..., Framing | None] = lambda data, **given: framing_of(  # noqa: E731
        resolve(ZeroshotOptions, given), data
    )
    assert framing(own) == Framing("square")
    assert framing(named) is None
    assert framing(named, boxes_as="crop") == Framing("square")
    assert framing(named, boxes_as="region") == Framing("region")
    assert framing(own, crop="tight") == Framing("tight")
    assert framing(own, crop="whole") is None
    assert framing(Manifest.build("photos", columns)) is None
    with pytest.raises(UsageError, match="cannot be combined"):
        framing(own, boxes_as="region", crop="tight")
    assert framing_of(resolve(IndexBuildOptions, {"regions": True}), named) == Framing("region")
    assert "1 in 1 images" in boxes_said(resolve(ZeroshotOptions, {}), own)
    assert "not used" in boxes_said(resolve(ZeroshotOptions, {}), named)


def test_regions_of_the_data_become_items() -> None:
    cells = [
        [{"box": [0, 0, 5, 5.25], "phrase": "a beak"}, {"box": [1, 1, 9, 9], "phrase": None}],
        [{"box": [2, 2, 4, 4], "phrase": "a claw"}],
    ]
    columns = {"id": ["a", "b"], "uri": ["/a", "/b"], "label": [1, None], "bag": ["m", "n"]}
    manifest = Manifest.build(
        "birds", columns | {"regions": pa.array(cells, COLUMNS["regions"])}, ClassList(("x", "y"))
    )
    table = region_items(manifest).table.to_pydict()
    assert table["id"] == ["a#0,0,5,5.2", "a#1,1,9,9", "b#2,2,4,4"]
    assert table["uri"] == ["/a", "/a", "/b"]
    assert table["label"] == [1, 1, None]
    assert table["parent"] == ["a", "a", "b"]
    assert table["captions"] == [["a beak"], None, ["a claw"]]
    assert table["bag"] == ["m", "m", "n"]
    assert table["box"][0] == [0, 0, 5, 5.25]


def test_ids_of_regions_are_unique_and_name_a_box_once() -> None:
    a, b = [0, 0, 5, 5], [1, 1, 9, 9]
    cells = [
        [{"box": box, "phrase": phrase} for box, phrase in ((a, "beak"), (a, "bill"), (b, "wing"))],
        [{"box": a, "phrase": "head"}],
    ]
    columns = {
        "id": ["a.png#0,0,5,5", "a.png#0,0,5,5#2"],
        "uri": ["/a.png"] * 2,
        "box": pa.array([a, a], BOX),
    }
    alone = region_items(Manifest.build("birds", columns))
    assert alone.ids == columns["id"]
    assert alone.column("parent") == columns["id"]
    regions = {"regions": pa.array(cells, COLUMNS["regions"])}
    items = region_items(Manifest.build("birds", columns | regions))
    assert items.ids == [
        "a.png#0,0,5,5",
        "a.png#0,0,5,5#2",
        "a.png#0,0,5,5#1,1,9,9",
        "a.png#0,0,5,5#2#2",
    ]
    assert items.column("captions") == [["beak"], ["bill"], ["wing"], ["head"]]


def test_without_regions_a_grid_covers_the_upright_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 120)).save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    items = region_items(load_dataset(str(tmp_path)))
    boxes = np.array([box for box in items.column("box") if box is not None])
    assert items.column("parent") == ["broken.jpg"] + ["turned.jpg"] * 58
    assert items.column("box")[0] is None
    assert boxes.min() == 0
    assert boxes[:, [0, 2]].max() == 120
    assert boxes[:, [1, 3]].max() == 60
    assert {tuple(size) for size in (boxes[:, 2:] - boxes[:, :2]).round()} == {(60, 30), (30, 15)}


def test_a_store_of_regions_finds_parts_and_says_where(scenes: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    built = clipfg.build_index(str(scenes / "pictures"), store=store, regions=True, **MODEL)
    assert built.keys == 116
    text = "a scarlet flower with a yellow centre"
    rows = clipfg.retrieve(text, store=store, raw=True, **MODEL).rows()
    assert len(rows) == 2  # one hit for each picture
    held = KeyStore.load(store)
    query = embed_texts([text], load_encoder("builtin:florette", precision="fp32"), None)
    cosines = held.keys @ query[0]
    parents = np.array(held.items["parent"].to_pylist())
    for row in rows:
        own = np.flatnonzero(parents == row["id"].split("#")[0])
        best = own[cosines[own].argmax()]
        assert row["id"] == held.ids[best]
        assert row["score"] == pytest.approx(cosines[best], abs=1e-5)
        assert row["box"] == held.items["box"][best].as_py()
    with pytest.raises(StoreError, match="add --regions"):
        clipfg.add_to_index(str(scenes / "pictures"), store=store, **MODEL)


def test_where_the_detector_failed_is_a_failure_of_the_run(scenes: Path, tmp_path: Path) -> None:
    box = {"category": "1", "conf": 0.9, "bbox": [0, 0, 0.5, 0.5]}
    images = [{"file": "0.png", "detections": [box]}, {"file": "1.png", "detections": None}]
    found = tmp_path / "md.json"
    found.write_text(json.dumps({"images": images, "detection_categories": {"1": "animal"}}))
    run = clipfg.predict(
        [scenes / "pictures" / "0.png", scenes / "pictures" / "1.png"],
        boxes=found,
        classes=scenes / "names.txt",
        output=tmp_path / "run",
        **MODEL,
    )
    assert (run.done, run.skipped) == (1, 1)
    (line,) = (tmp_path / "run" / "failures.jsonl").read_text().splitlines()
    assert json.loads(line)["stage"] == "detect"
    assert json.loads(line)["id"] == "1.png"
