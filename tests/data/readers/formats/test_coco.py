"""COCO files with captions; boxes are tested with all formats in `tests/contracts`."""

import json
from pathlib import Path

import pytest
from PIL import Image

from clipfg.data.loading import load_dataset
from clipfg.errors import DataError

TEXTS = {1: ["a jay", " on a branch. "], 2: ["an owl"]}


def lay_out(root: Path, **more: int) -> Path:
    """Three pictures, of which two have captions."""
    images = [{"id": n, "file_name": f"{n}.png"} for n in (1, 2, 3)]
    said = [
        {"id": 10 * n + k, "image_id": n, "caption": text} | more
        for k in (0, 1)
        for n, texts in TEXTS.items()
        for text in texts[k : k + 1]
    ]
    for image in images:
        Image.new("RGB", (8, 8), (int(image["id"]), 0, 0)).save(root / str(image["file_name"]))
    file = root / "captions_val2017.json"
    file.write_text(json.dumps({"images": images, "annotations": said}))
    return file


@pytest.mark.parametrize("whole", [True, False])
def test_captions(tmp_path: Path, whole: bool) -> None:
    file = lay_out(tmp_path)
    manifest = load_dataset(str(tmp_path if whole else file))
    assert manifest.ids == ["1.png", "2.png"]
    assert manifest.column("captions") == [["a jay", "on a branch."], ["an owl"]]
    assert manifest.splits == {"val": 2}
    assert manifest.reading is not None
    assert [one.count for one in manifest.reading.left_out] == [1]


def test_a_caption_of_an_unlisted_picture(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="image_id 9 of a caption"):
        load_dataset(str(lay_out(tmp_path, image_id=9)))


@pytest.mark.shared
def test_real(shared: Path) -> None:
    manifest = load_dataset(str(shared / "data/coco-slice/captions_val2017.json"))
    assert len(manifest) == 79
    assert all(len(texts) >= 5 for texts in manifest.column("captions") or [])
