"""Where a search looks when little or nothing is said of it."""

import logging
from pathlib import Path

import pytest
from PIL import Image

from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.errors import DataError, StoreError, UsageError
from clipfg.options import IndexBuildOptions, RetrieveOptions
from clipfg.workflows.index.run import run_build
from clipfg.workflows.retrieve.run import RetrieveRun, run_retrieve
from tests.workflows.jobs import job

MODEL = {"model": "builtin:florette", "precision": "fp32"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def draw(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    synthflora.draw(synthflora.flower_at(0, "train", number), 64).save(path)


def retrieve(text: str = "a blue flower", **options) -> RetrieveRun:
    return job(lambda session: run_retrieve(session, [text]), RetrieveOptions, **MODEL | options)


def build(dataset: object, **options) -> None:
    job(run_build, IndexBuildOptions, dataset=dataset, **MODEL, **options)


def ids(run: RetrieveRun) -> set[str]:
    return {row["id"] for row in run.rows()}


def test_the_images_of_the_working_folder(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Sub-folders too, and what they are called means nothing: neither splits nor classes."""
    names = ["train/rose/1.png", "test/lily/2.png", "test/3.png", "4.png"]
    for number, name in enumerate(names):
        draw(here / name, number)
    draw(here / ".hidden" / "5.png", 5)
    with caplog.at_level(logging.INFO, logger="clipfg"):
        run = retrieve()
    assert f"Searching 4 images in {here}" in caplog.text
    assert ids(run) == set(names)
    assert {(row["label"], row["split"]) for row in run.rows()} == {(None, None)}
    assert len(retrieve(limit=2).rows()) == 2
    with pytest.raises(UsageError, match="no splits"):
        retrieve(split="train")


def test_what_clipfg_itself_has_drawn_is_no_image_to_search(here: Path) -> None:
    draw(here / "rose.png", 0)
    for folder in (here / "runs" / "one", here / "elsewhere"):
        draw(folder / "curve.png", 1)
        (folder / "config.json").touch()
        (folder / "results.json").touch()
    draw(here / "model" / "photo.png", 2)  # `config.json` alone makes no run
    (here / "model" / "config.json").touch()
    assert ids(retrieve()) == {"rose.png", "model/photo.png"}


@pytest.mark.parametrize("kind", ["empty", "texts", "runs"])
def test_where_there_is_no_image(here: Path, kind: str, capsys) -> None:
    if kind != "empty":
        (here / "config.json").touch()
    if kind == "runs":
        (here / "results.json").touch()
        draw(here / "curve.png", 0)
    assert main.run(["retrieve", "a flower"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"Error: There are no images to search in {here}; name others by --dataset PATH, or a key"
        " store by --store DIR."
    )


def test_a_broken_image_costs_itself_alone(here: Path) -> None:
    draw(here / "good.png", 0)
    (here / "broken.png").write_bytes(b"no image")
    run = retrieve()
    assert (ids(run), run.done, run.skipped, run.exit_code) == ({"good.png"}, 1, 1, 3)
    (here / "good.png").unlink()
    with pytest.raises(DataError, match="images that can be used"):
        retrieve()


def test_the_nearest_place_that_is_named_is_searched(here: Path, tmp_path: Path) -> None:
    """A store, then data, then the default store, then the working folder."""
    for number, name in enumerate(("here", "data", "store", "default")):
        draw((here if name == "here" else tmp_path / name) / f"{name}.png", number)
    assert ids(retrieve()) == {"here.png"}
    build(tmp_path / "default")
    assert ids(retrieve()) == {"default.png"}
    build(tmp_path / "store", store=tmp_path / "built")
    (here / "clipfg.toml").write_text(f"dataset = '{tmp_path / 'data'}'\n")
    assert ids(retrieve()) == {"data.png"}
    (here / "clipfg.toml").write_text(f"store = '{tmp_path / 'built'}'\n")
    assert ids(retrieve()) == {"store.png"}
    assert ids(retrieve(dataset=tmp_path / "data")) == {"data.png"}
    assert ids(retrieve(dataset=tmp_path / "data", store=tmp_path / "built")) == {"store.png"}
    assert ids(retrieve(dataset=here)) == {"here.png"}


def test_the_default_store_lies_in_the_working_folder(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    draw(here / "1.png", 1)
    with caplog.at_level(logging.INFO, logger="clipfg"):
        build(here)
        assert "building .clipfg/store, the default store of this folder" in caplog.text
        draw(here / "2.png", 2)  # not indexed
        assert ids(retrieve()) == {"1.png"}
        assert "Searching 1 images in .clipfg/store" in caplog.text
    (here / "below").mkdir()
    draw(here / "below" / "3.png", 3)
    monkeypatch.chdir(here / "below")
    assert ids(retrieve()) == {"3.png"}
    assert (here / ".clipfg" / "store" / "store.json").is_file()


def test_a_store_that_is_named_must_be_there(here: Path, tmp_path: Path) -> None:
    draw(here / "1.png", 1)
    with pytest.raises(StoreError, match="Expected a key store at"):
        retrieve(store=tmp_path / "nowhere")


def test_the_encoder_of_what_is_searched_must_be_known(here: Path, tmp_path: Path) -> None:
    import numpy as np

    np.savez(tmp_path / "unnamed.npz", features=np.eye(96, dtype=np.float32))
    data = {"dataset": f"features:{tmp_path / 'unnamed.npz'}"}
    with pytest.raises(UsageError, match="name it with --model"):
        job(lambda session: run_retrieve(session, ["a flower"]), RetrieveOptions, **data)
    assert len(retrieve(**data).rows()) == 10


def test_a_photo_that_cannot_be_read_is_named_and_not_another(here: Path) -> None:
    draw(here / "good.png", 0)
    (here / "broken.png").write_bytes(b"no image")
    Image.new("RGB", (8, 8)).save(here / "query.png")
    (here / "query.png").write_bytes(b"")
    with pytest.raises(DataError, match="empty file"):
        retrieve("query.png")
