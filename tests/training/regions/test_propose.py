"""Region proposals: the column that they make, and where a map's peaks are put."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.ops import box_iou

from clipfg.data import synthflora
from clipfg.encoders.loading import load_encoder
from clipfg.errors import UsageError
from clipfg.functional.windows import GRID, grid_windows
from clipfg.training.regions import PROPOSALS, propose
from clipfg.training.regions.attention import OVERLAP, standing_out
from clipfg.types import Manifest


@pytest.fixture
def pictures(tmp_path: Path) -> Manifest:
    for name, size in (("a", (80, 40)), ("b", (30, 60))):
        Image.new("RGB", size, "white").save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    names = ["a", "b", "broken"]
    boxes = [[-5.0, -5, 20, 20], None, [0.0, 0, 9, 9]]
    columns = {"id": names, "uri": [str(tmp_path / f"{n}.png") for n in names], "box": boxes}
    return Manifest.build("x", columns)


def boxes_of(manifest: Manifest) -> list[list[list[float]]]:
    return [[one["box"] for one in own] for own in manifest.column("regions") or []]


def test_boxes_are_clipped_and_empty_ones_dropped(pictures: Manifest) -> None:
    found = propose(pictures, "boxes")
    assert boxes_of(found) == [[[0, 0, 20, 20]], [], []]
    assert found.column("box") == pictures.column("box")
    given = [
        [
            {"box": box, "phrase": "x"}
            for box in ([0, 0, 5, 5], [70, 30, 99, 99], [90, 0, 99, 9], [5, 5, 5.5, 9])
        ],
        [{"box": [9, 9, 2, 2], "phrase": None}],
        None,
    ]
    columns = {name: pictures.column(name) for name in ("id", "uri", "box")}
    found = propose(Manifest.build("x", {**columns, "regions": given}), "boxes")
    assert boxes_of(found) == [[[0, 0, 5, 5], [70, 30, 80, 40]], [], []]
    assert [one["phrase"] for one in (found.column("regions") or [])[0]] == ["x", "x"]


def test_a_grid_begins_in_the_middle(pictures: Manifest) -> None:
    first, second, broken = boxes_of(propose(pictures, "grid", most=5))
    assert first[0] == [20, 10, 60, 30]
    assert second[0] == [7.5, 15, 22.5, 45]
    assert len(first) == len(second) == 5
    assert broken == []


def test_windows_of_a_grid_overlap_by_half() -> None:
    windows = grid_windows(64, 32)
    assert len(windows) == sum(count**2 for _, count in GRID) == 58
    assert windows[:2] == [(0, 0, 32, 16), (16, 0, 48, 16)]
    assert windows[-1] == (48, 24, 64, 32)


def test_what_stands_out_is_found_and_not_twice() -> None:
    map_ = torch.zeros(12, 12)
    map_[1:4, 2:5] = 1
    map_[8:11, 7:10] = 2
    found = standing_out(map_)
    assert found[0].tolist() == [7, 8, 10, 11]
    assert [2, 1, 5, 4] in found.tolist()
    overlaps = box_iou(found, found).fill_diagonal_(0)
    assert float(overlaps.max()) <= OVERLAP
    assert standing_out(torch.full((7, 7), 0.3)).tolist() == []


def test_attention_of_the_built_in_encoder_finds_flowers() -> None:
    manifest = synthflora.load().select("test", limit=8)
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    found = boxes_of(propose(manifest, "attention", encoder=encoder, most=4))
    assert all(1 <= len(own) <= 4 for own in found)
    truth = synthflora.with_regions(manifest).column("regions") or []

    def covered(boxes: list[list[float]], head: list[float]) -> bool:
        return any(
            head[0] <= (x0 + x1) / 2 <= head[2] and head[1] <= (y0 + y1) / 2 <= head[3]
            for x0, y0, x1, y1 in boxes[:1]
        )

    heads = [own[0]["box"] if own else [0, 0, 0, 0] for own in truth]
    right = np.mean([covered(*pair) for pair in zip(found, heads, strict=True)])
    assert right > 0.6


def test_names_and_needs(pictures: Manifest) -> None:
    assert set(PROPOSALS) >= {"boxes", "grid", "attention", "detector"}
    with pytest.raises(UsageError, match="Did you mean 'grid'"):
        propose(pictures, "grit")
    with pytest.raises(UsageError, match="name one by --model"):
        propose(pictures, "attention")
    with pytest.raises(UsageError, match="detector:OWNER/NAME"):
        propose(pictures, "detector")
    bare = Manifest.build("x", {"uri": pictures.uris, "id": pictures.ids})
    with pytest.raises(UsageError, match="Expected regions in the pictures of x by 'boxes'"):
        propose(bare, "boxes")
