"""Folders and files whose names are no UTF-8, and names that begin with a tilde."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

import clipfg
from clipfg.errors import UsageError

MODEL = {"model": "builtin:florette", "precision": "fp32"}
ODD = os.fsdecode(b"v\xf6gel")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / ODD
    for name in (ODD, "~b"):
        (root / name).mkdir(parents=True)
        for number in range(2):
            colour = (len(name) * 30, 90 * number, 40)
            Image.new("RGB", (64, 64), colour).save(root / name / f"{ODD}{number}.png")
    return root


def test_data_are_used_and_what_is_written_can_be_read(photos: Path, tmp_path: Path) -> None:
    run = clipfg.zeroshot(str(photos), output=tmp_path / "run", html=True, **MODEL)
    assert (run.done, run.skipped) == (4, 0)
    results = json.loads((run.folder / "results.json").read_text())
    config = json.loads((run.folder / "config.json").read_text())
    assert config["dataset"] == str(photos)  # the escape of half a character is that half again
    assert "v\\xf6gel" in json.dumps(results["reading"]).replace("\\\\", "\\")
    store = tmp_path / "store"
    clipfg.build_index(str(photos), store=store, **MODEL)
    query = str(photos / "~b" / f"{ODD}0.png")
    assert clipfg.retrieve(query, store=store).rows()[0]["id"] == r"~b/v\xf6gel0.png"
    assert clipfg.retrieve(ODD, store=store).rows()


@pytest.mark.parametrize("option", ["output", "cache_dir", "classes"])
def test_a_path_that_libraries_cannot_take_is_named(option, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{option} must be a path in UTF-8, got .*v\\udcf6gel"):
        clipfg.zeroshot(str(photos), **MODEL, **{option: tmp_path / ODD})


def test_a_tilde_is_a_letter_where_nobody_has_that_name(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    (photos / "~b" / f"{ODD}0.png").rename("~me.png")
    names = tmp_path / "names.txt"
    names.write_text("rose\ndaisy\n")
    run = clipfg.predict("~me.png", classes=names, output=tmp_path / "run", **MODEL)
    assert run.done == 1
    clipfg.build_index("~b", store=tmp_path / "store", **MODEL)
    assert clipfg.retrieve("~me.png", "~ a rose", store=tmp_path / "store").rows()
