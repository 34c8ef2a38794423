"""`--tiles`: large pictures as bags, from the file to the heat map."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from clipfg.cli import main
from clipfg.workflows.bags.tiling import _shares

tifffile = pytest.importorskip("tifffile")

SIDE, TILE = 192, 64


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipfg.heads.bags.base.STEPS", (60,))


def slide(path: Path, sick: bool, seed: int) -> None:
    """Nine tiles: the upper row blank, the others green noise, and one of them red if `sick`."""
    rng = np.random.default_rng(seed)
    pixels = np.full((SIDE, SIDE, 3), 240, dtype=np.uint8)
    pixels[TILE:] = rng.integers(0, 90, (SIDE - TILE, SIDE, 3))
    pixels[TILE:, :, 1] += 120
    if sick:
        pixels[TILE : 2 * TILE, TILE : 2 * TILE, :] = pixels[
            TILE : 2 * TILE, TILE : 2 * TILE, [1, 0, 2]
        ]
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(32, 32))


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    for number in range(12):
        kind = folder / ("sick" if number % 2 else "healthy")
        kind.mkdir(parents=True, exist_ok=True)
        slide(kind / f"{number}.tif", bool(number % 2), number)
    return folder


def test_tiles_of_slides_are_bags_of_which_scores_are_shown(slides, tmp_path, capsys) -> None:
    run, head = tmp_path / "run", tmp_path / "head.safetensors"
    common = ["--model", "builtin:florette", "--precision", "fp32"]
    words = ["bags", str(slides), "--tiles", str(TILE), "--head", "bag-max", "--seeds", "1"]
    words += ["--folds", "2", "--html", "--save", str(head), "-o", str(run)]
    assert main.run([*words, *common]) == 0
    said = capsys.readouterr().err
    assert "Tiles: 72 of 108; 36 are of one colour and left out" in said
    assert "Bags: 12 of 6 to 6 instances" in said
    rows = pq.read_table(run / "instances.parquet").to_pylist()
    assert len(rows) == 72
    red = [row["rank"] for row in rows if "sick" in row["bag"] and row["id"].endswith("#64,64")]
    assert np.mean(red) < 2
    heat = np.asarray(Image.open(sorted((run / "heat").iterdir())[-1]).convert("RGB")).astype(int)
    assert heat.shape == (SIDE, SIDE, 3)
    tile = heat[TILE : 2 * TILE, TILE : 2 * TILE].mean(axis=(0, 1))
    other = heat[TILE : 2 * TILE, :TILE].mean(axis=(0, 1))
    assert tile[0] > other[0] + 30
    assert other[2] > other[1]  # blue, and not the green of what is below
    shown = np.asarray(Image.open(sorted((run / "tiles").iterdir())[0]).convert("RGB"))
    red, _, blue = shown[: TILE - 8].mean(axis=(0, 1))
    assert blue > red + 50
    assert (run / "report.html").read_text().count("<img") > 24

    slide(tmp_path / "new.tif", True, 99)
    words = ["predict", str(tmp_path / "new.tif"), "--head", str(head), "-o", str(tmp_path / "new")]
    assert main.run([*words, *common]) == 0
    (row,) = pq.read_table(tmp_path / "new" / "predictions.parquet").to_pylist()
    assert (row["prediction"], row["instances"]) == ("sick", 6)
    assert len(list((tmp_path / "new" / "heat").iterdir())) == 1


def test_a_damaged_part_costs_its_tiles_alone(slides, tmp_path, capsys) -> None:
    path = sorted((slides / "sick").iterdir())[0]
    path.write_bytes(path.read_bytes()[:-100])
    words = ["bags", str(slides), "--tiles", str(TILE), "--head", "bag-max", "--seeds", "1"]
    words += ["--folds", "2", "--model", "builtin:florette", "--precision", "fp32"]
    assert main.run([*words, "-o", str(tmp_path / "run")]) == 3
    (failure,) = (tmp_path / "run" / "failures.jsonl").read_text().splitlines()
    assert "cut off" in failure
    assert f"#{SIDE - TILE},{SIDE - TILE}" in failure
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    assert sorted(row["instances"] for row in rows) == [5] + [6] * 11


def test_colours_are_of_all_scores_or_of_those_of_a_bag() -> None:
    scores, bags = np.array([0.0, 2.0, 8.0, 10.0]), np.array([0, 0, 1, 1])
    assert _shares(scores, np.zeros(4, dtype=int)).tolist() == [0.0, 0.2, 0.8, 1.0]
    assert _shares(scores, bags).tolist() == [0.0, 1.0, 0.0, 1.0]


def test_what_cannot_be_cut_is_said(slides, tmp_path, capsys) -> None:
    words = ["bags", str(slides), "--tiles", "64", "-o", str(tmp_path / "run")]
    assert main.run([*words, "--overlap", "64"]) == 2
    assert "an --overlap below --tiles 64" in capsys.readouterr().err
    assert main.run(["bags", "synthflora", "--tiles", "64", "-o", str(tmp_path / "run")]) == 2
    assert "--tiles cuts pictures in files" in capsys.readouterr().err
    assert main.run([*words, "--blank", "255"]) == 1
    assert "Expected tiles that show something" in capsys.readouterr().err
