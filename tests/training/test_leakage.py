"""Training items that are also evaluated: found by id, by content and as near copies."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import torch
from PIL import Image, ImageDraw

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.framing import Framing
from clipfg.training.leakage import find_leaks, leaks_said
from clipfg.types import BOX, Manifest


def drawing(number: int) -> Image.Image:
    image = Image.new("RGB", (96, 96), "white")
    draw = ImageDraw.Draw(image)
    for k in range(6):
        x, y = (37 * number + 29 * k) % 70, (53 * number + 41 * k * k) % 70
        draw.ellipse((x, y, x + 12 + 3 * k, y + 24), fill=(40 * k, 90, 200 - 30 * k))
    return image


def data(folder: Path, *names: str, called: str = "set") -> Manifest:
    return Manifest.build(
        called, {"id": names, "uri": [str(folder / f"{name}.png") for name in names]}
    )


def test_ids_contents_and_near_copies(tmp_path: Path) -> None:
    for number in range(6):
        drawing(number).save(tmp_path / f"{number}.png")
    (tmp_path / "copy.png").write_bytes((tmp_path / "3.png").read_bytes())
    drawing(4).crop((4, 4, 94, 94)).resize((80, 80)).save(tmp_path / "crop.png")
    training = data(tmp_path, "0", "1", "copy", "crop", "gone")
    evaluation = data(tmp_path, "1", "2", "3", "4", "5")
    every = torch.eye(9)
    ours, theirs = every[[0, 1, 3, 6, 7]], every[[1, 2, 3, 4, 5]].clone()
    theirs[3] = every[4] + every[6]  # the encoder finds the crop near its original, no more
    theirs[3] /= 2**0.5
    plain = [("id", "1", "1"), ("content", "copy", "3")]
    with EmbeddingCache(tmp_path / "cache") as cache:
        for known in (None, cache):
            found = find_leaks(training, evaluation, cache=known)
            assert [(leak.kind, leak.id, leak.evaluated) for leak in found] == plain
    found = find_leaks(training, evaluation, (ours, theirs))
    seen = [(leak.kind, leak.id, leak.evaluated) for leak in found]
    assert seen == [*plain, ("near copy", "crop", "4")]
    assert [leak.row for leak in found] == [1, 2, 3]
    said = leaks_said(found, training, evaluation)
    assert said.startswith("3 of 5 training items are also in the 5 of the evaluation split")
    assert "1 by id or path, 1 by content, 1 as a near copy" in said
    assert "1, copy (3), crop (4)." in said


def test_near_copies_of_parts_are_looked_at_as_parts(tmp_path: Path) -> None:
    """A drawing that stands in two pictures, enlarged in one, among others that differ."""
    columns: dict[str, list] = {"id": [], "uri": [], "box": []}
    for name, shown, size in (("ours", (0, 4), 96), ("theirs", (4, 1), 120)):
        picture = Image.new("RGB", (2 * size, size))
        for place, number in enumerate(shown):
            picture.paste(drawing(number).resize((size, size)), (size * place, 0))
            columns["id"].append(f"{name} {number}")
            columns["uri"].append(str(tmp_path / f"{name}.png"))
            columns["box"].append([size * place, 0, size * (place + 1), size])
        picture.save(tmp_path / f"{name}.png")
    columns["id"].append("gone")
    columns["uri"].append(str(tmp_path / "gone.png"))
    columns["box"].append(None)
    every = Manifest.build("set", columns | {"box": pa.array(columns["box"], BOX)})
    ours, theirs = (replace(every, table=every.table.slice(*rows)) for rows in ((0, 2), (2, 3)))
    features = torch.eye(6)[[0, 1]], torch.eye(6)[[2, 3, 4]] + torch.eye(6)[1] / 9
    (leak,) = find_leaks(ours, theirs, features, framing=Framing("tight"))
    assert (leak.kind, leak.id, leak.evaluated) == ("near copy", "ours 4", "theirs 4")
    assert find_leaks(ours, theirs, features) == []  # the pictures are others


def test_ids_count_within_one_data_set_alone(tmp_path: Path) -> None:
    drawing(0).save(tmp_path / "0.png")
    (tmp_path / "other").mkdir()
    drawing(1).save(tmp_path / "other/0.png")
    training, evaluation = data(tmp_path, "0"), data(tmp_path / "other", "0", called="another")
    assert find_leaks(training, evaluation) == []
    assert leaks_said([], training, evaluation) == ""
    features = Manifest.build("x", {"id": ["0"], "uri": ["0"]})
    assert find_leaks(features, Manifest.build("y", {"id": ["0"], "uri": ["0"]})) == []
    same = torch.eye(2)[:1]
    assert find_leaks(features, evaluation, (same, same))[0].kind == "content"
