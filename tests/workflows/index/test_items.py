"""What a store remembers of its items: encoder, origin, and what changed under way."""

import logging
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from clipfg.embedding.feature_files import write_features
from clipfg.errors import DataError, StoreError
from clipfg.options import (
    EmbedOptions,
    IndexAddOptions,
    IndexBuildOptions,
    IndexRemoveOptions,
    IndexShowOptions,
    resolve,
)
from clipfg.store import KeyStore
from clipfg.store.folder import writing
from clipfg.types import Features
from clipfg.workflows.embed import run_embed
from clipfg.workflows.index import run as index
from clipfg.workflows.index.run import IndexRun, run_add, run_build, run_remove
from clipfg.workflows.index.store import store_info
from tests.embedding.drawn_images import draw
from tests.workflows.jobs import job

MODEL = {"model": "builtin:florette", "precision": "fp32"}


def build(dataset: object, **options) -> IndexRun:
    return job(run_build, IndexBuildOptions, dataset=dataset, **options)


def add(dataset: object, **options) -> IndexRun:
    return job(run_add, IndexAddOptions, dataset=dataset, **options)


def info(store: Path) -> dict:
    return store_info(resolve(IndexShowOptions, {"store": store}))


def features(path: Path, n: int = 12, seed: int = 0) -> str:
    pooled = np.random.default_rng(seed).standard_normal((n, 8)).astype(np.float32)
    ids = tuple(f"{i}.jpg" for i in range(n))
    write_features(Features(ids, pooled, np.full(n, -1), fingerprint="f" * 64), path)
    return f"features:{path}"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "one" / "photos"
    folder.mkdir(parents=True)
    for number in range(3):
        draw(folder / f"{number}.png", number)
    return folder


def test_features_of_the_store_s_encoder_keep_its_name(photos: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    build(photos, store=store, **MODEL)
    job(run_embed, EmbedOptions, dataset=photos, output=tmp_path / "f.npz", **MODEL)
    build(f"features:{tmp_path / 'f.npz'}", store=store, replace=True)
    again = KeyStore.load(store)
    assert (again.model, again.precision) == ("builtin:florette", "fp32")


def test_info_is_what_the_store_holds(tmp_path: Path) -> None:
    for number, name in enumerate(("lily", "rose")):
        (tmp_path / "named" / name).mkdir(parents=True)
        draw(tmp_path / "named" / name / "1.png", number)
    build(tmp_path / "named", store=tmp_path / "store", **MODEL)
    store, facts = KeyStore.load(tmp_path / "store"), info(tmp_path / "store")
    assert facts["store"] == str(tmp_path / "store")
    assert (facts["keys"], facts["labelled"], facts["classes"]) == (2, 2, 2)
    assert (facts["model"], facts["precision"]) == ("builtin:florette", "fp32")
    assert (facts["prompts"], facts["fingerprint"]) == ("general", store.fingerprint[:12])
    assert facts["splits"] == {"none": 2}
    store.items = store.items.set_column(3, "label", pa.array([None, 1], pa.int32()))
    store.save(tmp_path / "store")
    assert info(tmp_path / "store")["labelled"] == 1


def test_there_is_no_warning_where_both_encoders_are_known(tmp_path: Path, caplog) -> None:
    data, store = features(tmp_path / "a.npz"), tmp_path / "store"
    with caplog.at_level(logging.WARNING, logger="clipfg"):
        build(data, store=store)
        add(data, store=store)
    assert caplog.text == ""


def test_two_folders_of_one_name_are_two_origins(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "two" / "photos"
    other.mkdir(parents=True)
    draw(other / "9.png", 9)
    store = tmp_path / "store"
    build(photos, store=store, prefix="one/", **MODEL)
    run = add(other, store=store, prune=True)
    assert (run.keys, run.removed, run.vanished) == (4, 0, ())
    assert KeyStore.load(store).ids == ["one/0.png", "one/1.png", "one/2.png", "9.png"]
    (photos / "0.png").unlink()
    run = add(photos, store=store, prefix="one/", prune=True)
    assert (run.keys, run.removed, run.vanished) == (3, 1, ())


def test_an_image_may_change_under_its_own_id(photos: Path, tmp_path: Path) -> None:
    """By the same data, by a table of the same files, and where no origin is known."""
    store = tmp_path / "store"
    build(photos, store=store, **MODEL)
    draw(photos / "1.png", 100)
    table = tmp_path / "photos.csv"
    lines = [f"{path.name},{path}" for path in sorted(photos.iterdir())]
    table.write_text("\n".join(["id,path", *lines]))
    assert add(table, store=store).updated == 3  # their origin too
    held = KeyStore.load(store)
    held.items = held.items.drop_columns(["data"])
    held.save(store)
    draw(photos / "1.png", 101)
    other = tmp_path / "other"
    other.mkdir()
    draw(other / "9.png", 9)
    assert add(other, store=store).added == 1
    run = add(photos, store=store)
    assert (run.updated, run.unchanged) == (3, 0)
    data = features(tmp_path / "a.npz", seed=0)
    build(data, store=tmp_path / "features")
    features(tmp_path / "a.npz", seed=1)
    assert add(data, store=tmp_path / "features").updated == 12


def test_a_changed_image_alone_is_committed(photos: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    build(photos, store=store, **MODEL)
    before = np.array(KeyStore.load(store).keys)
    draw(photos / "1.png", 100)
    assert add(photos, store=store).updated == 1
    changed = (np.array(KeyStore.load(store).keys) != before).any(axis=1)
    assert changed.tolist() == [False, True, False]


def test_images_that_all_fail_make_no_store(photos: Path, tmp_path: Path) -> None:
    for path in photos.iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="images that can be used, photos has none"):
        build(photos, store=tmp_path / "store", **MODEL)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("work", [build, add])
def test_a_store_that_another_encoder_wrote_meanwhile_is_refused(
    work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, store = features(tmp_path / "a.npz"), tmp_path / "store"
    build(data, store=store)

    @contextmanager
    def after_another(path):
        theirs = KeyStore.load(store)
        theirs.fingerprint = "9" * 64
        theirs.save(store)
        with writing(path) as writer:
            yield writer

    monkeypatch.setattr(index, "writing", after_another)
    with pytest.raises(StoreError, match="fingerprint 999999999999"):
        work(data, store=store)
    assert KeyStore.load(store).fingerprint == "9" * 64


def test_an_index_is_built_on_the_device_and_by_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = []
    commit = KeyStore.commit

    def listen(store, writer):
        devices.append(store.index.device)
        return commit(store, writer)

    monkeypatch.setattr(KeyStore, "commit", listen)
    data = features(tmp_path / "a.npz", n=400)
    made = {}
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        store = tmp_path / name
        build(data, store=store, factory="IVF4,Flat", seed=seed, device="cuda")
        (file,) = store.glob("index-*")
        made[name] = file.read_bytes()
    assert made["first"] == made["again"] != made["other"]
    add(features(tmp_path / "b.npz"), store=tmp_path / "first", prefix="b/", device="cuda")
    remove = resolve(IndexRemoveOptions, {"store": tmp_path / "first", "device": "cuda"})
    run_remove(remove, ["1.jpg"])
    assert devices == ["cuda"] * 5
