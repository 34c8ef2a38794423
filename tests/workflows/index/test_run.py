"""`clipfg index` on images with the built-in model, and on features in files."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from clipfg.cli import main
from clipfg.embedding.batch_encoder import BatchEncoder
from clipfg.embedding.feature_files import write_features
from clipfg.options import IndexAddOptions, IndexBuildOptions, IndexRemoveOptions, resolve
from clipfg.store import KeyStore, verify
from clipfg.types import ClassList, Features
from clipfg.workflows.index.run import run_add, run_build, run_remove
from tests.embedding.drawn_images import draw
from tests.workflows.jobs import job

CLASSES = ClassList(("robin", "wren"))


def features(path: Path, n: int = 12, seed: int = 0, fingerprint: str = "f" * 64) -> str:
    rng = np.random.default_rng(seed)
    write_features(
        Features(
            ids=tuple(f"{i}.jpg" for i in range(n)),
            pooled=rng.standard_normal((n, 8)).astype(np.float32),
            labels=np.arange(n) % 2,
            classes=CLASSES,
            fingerprint=fingerprint,
            splits=tuple("train" if i % 3 else "test" for i in range(n)),
        ),
        path,
    )
    return f"features:{path}"


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    for seed in range(6):
        place = folder / ("a" if seed % 2 else "b")
        place.mkdir(parents=True, exist_ok=True)
        draw(place / f"{seed}.png", seed)
    return folder


def index(verb: str, *arguments: object, store: Path) -> int:
    return main.run(["index", verb, *map(str, arguments), "--store", str(store)])


MODEL = ("--model", "builtin:florette", "--precision", "fp32")


def test_a_folder_of_images_over_its_life(photos, tmp_path, capsys, monkeypatch) -> None:
    store = tmp_path / "store"
    (photos / "a" / "broken.png").write_bytes(b"no image")
    assert index("build", photos, *MODEL, store=store) == 3
    failure = json.loads((store / "failures.jsonl").read_text())
    assert failure["id"] == "a/broken.png"
    (photos / "a" / "broken.png").unlink()
    built = KeyStore.load(store)
    assert built.ids == [f"a/{i}.png" for i in (1, 3, 5)] + [f"b/{i}.png" for i in (0, 2, 4)]
    assert (built.model, built.precision) == ("builtin:florette", "fp32")

    encoded: list[int] = []
    real = BatchEncoder.encode

    def encode(self, pending, files):
        encoded.append(len(pending))
        return real(self, pending, files)

    monkeypatch.setattr(BatchEncoder, "encode", encode)
    draw(photos / "a" / "7.png", 7)  # new
    draw(photos / "a" / "1.png", 100)  # changed
    (photos / "b" / "2.png").unlink()  # vanished
    capsys.readouterr()
    assert index("add", photos, store=store) == 0  # with the store's own encoder
    said = capsys.readouterr().err
    assert "7 keys (1 added, 1 updated, 4 unchanged)" in said
    assert "still in the store: b/2.png. Remove them with --prune." in said
    assert not (store / "failures.jsonl").exists()
    assert sum(encoded) == 2
    added = KeyStore.load(store)
    assert added.ids == [*built.ids, "a/7.png"]
    changed = [not np.array_equal(*pair) for pair in zip(built.keys, added.keys, strict=False)]
    assert [built.ids[i] for i in np.flatnonzero(changed)] == ["a/1.png"]

    before = (store / "store.json").read_bytes()
    encoded.clear()
    assert index("add", photos, "--split", "all", store=store) == 0
    assert (store / "store.json").read_bytes() == before  # nothing changed, nothing was written
    assert index("add", photos, "--limit", "2", "--prune", store=store) == 0
    assert (store / "store.json").read_bytes() == before  # what was not looked at has not vanished
    assert index("add", photos, "--prune", store=store) == 0
    assert "b/2.png" not in KeyStore.load(store).ids

    capsys.readouterr()
    assert index("build", photos, *MODEL, store=store) == 0
    assert "6 keys (6 unchanged)" in capsys.readouterr().err
    assert index("build", photos, *MODEL, store=tmp_path / "fresh") == 0
    again, fresh = KeyStore.load(store), KeyStore.load(tmp_path / "fresh")
    assert again.items.equals(fresh.items)
    np.testing.assert_array_equal(again.keys, fresh.keys)
    assert encoded == []
    assert index("verify", store=store) == 0


def test_a_store_of_other_data_is_replaced_where_that_is_said(tmp_path, capsys) -> None:
    store, one, other = (tmp_path / name for name in ("store", "a.npz", "b.npz"))
    rng = np.random.default_rng(0)
    for path in (one, other):
        np.savez(path, features=rng.standard_normal((5, 8), dtype=np.float32))
    assert index("build", f"features:{one}", store=store) == 0
    before = (store / "store.json").read_bytes()
    assert index("build", f"features:{other}", store=store) == 2
    assert "holds 5 keys, some of" in capsys.readouterr().err
    assert (store / "store.json").read_bytes() == before
    assert index("build", f"features:{other}", "--replace", store=store) == 0
    assert main.run(["index", "build", f"features:{one}", "--store", ""]) == 2
    assert "--store must be a path, got ''" in capsys.readouterr().err


def test_features_of_others(tmp_path, capsys) -> None:
    path = tmp_path / "clip.npz"
    rng = np.random.default_rng(0)
    parts = {f"{x}_f": rng.standard_normal((5, 8), dtype=np.float32) for x in ("test", "val")}
    np.savez(path, test_l=np.arange(5), **parts)
    assert index("build", f"features:{path}", store=tmp_path / "store") == 0
    store = KeyStore.load(tmp_path / "store")
    assert store.ids == [f"{split}/{i}" for split in ("test", "val") for i in range(5)]
    assert (store.model, store.fingerprint) == ("", "")
    capsys.readouterr()
    assert index("info", "--format", "json", store=tmp_path / "store") == 0
    [facts] = json.loads(capsys.readouterr().out)
    assert facts["keys"] == 10
    sizes = [file.stat().st_size for file in (tmp_path / "store").glob("*-*")]
    assert facts["mib"] == pytest.approx(sum(sizes) / 2**20)
    assert facts["splits"] == {"test": 5, "val": 5}
    assert facts["model"] is None


def test_another_encoder_is_refused_by_name(tmp_path, photos, capsys, monkeypatch) -> None:
    store = tmp_path / "store"
    assert index("build", features(tmp_path / "a.npz"), store=store) == 0
    before = (store / "store.json").read_bytes()
    for verb in ("build", "add"):
        other = features(tmp_path / "b.npz", fingerprint="9" * 64)
        assert index(verb, other, store=store) == 1
        said = capsys.readouterr().err
        assert "fingerprint ffffffffffff" in said
        assert "fingerprint 999999999999" in said
    monkeypatch.setattr(BatchEncoder, "encode", None)  # refused before anything is embedded
    for verb in ("build", "add"):
        assert index(verb, photos, *MODEL, store=store) == 1
        assert "builtin:florette in fp32" in capsys.readouterr().err
    assert (store / "store.json").read_bytes() == before


def test_features_of_another_width_are_refused(tmp_path, capsys, caplog) -> None:
    store = tmp_path / "store"
    assert index("build", features(tmp_path / "a.npz"), store=store) == 0
    np.savez(tmp_path / "wide.npz", features=np.ones((3, 9), np.float32))
    assert index("add", f"features:{tmp_path / 'wide.npz'}", store=store) == 1
    assert "features 8 wide" in capsys.readouterr().err
    np.savez(tmp_path / "unnamed.npz", features=np.eye(8, dtype=np.float32))
    with caplog.at_level(logging.WARNING, logger="clipfg"):
        assert index("add", f"features:{tmp_path / 'unnamed.npz'}", store=store) == 0
    assert "does not say which encoder" in caplog.text


def test_two_data_with_the_same_ids(tmp_path, capsys) -> None:
    store = tmp_path / "store"
    assert index("build", features(tmp_path / "a.npz"), store=store) == 0
    other = features(tmp_path / "b.npz", seed=1)
    assert index("add", other, store=store) == 1
    assert "tell them apart with --prefix" in capsys.readouterr().err
    assert index("add", other, "--prefix", "b/", store=store) == 0
    assert len(KeyStore.load(store)) == 24
    assert index("add", other, "--prefix", "b/", "--prune", store=store) == 0
    assert "12 unchanged" in capsys.readouterr().err
    assert len(KeyStore.load(store)) == 24  # the other data's are not theirs to prune
    moved = tmp_path / "moved.npz"
    (tmp_path / "a.npz").rename(moved)
    assert index("add", f"features:{moved}", store=store) == 0  # the same under another name
    assert len(KeyStore.load(store)) == 24


def test_splits_come_and_go_by_themselves(tmp_path) -> None:
    store, path = tmp_path / "store", tmp_path / "a.npz"
    assert index("build", features(path), "--split", "train", store=store) == 0
    assert index("add", features(path), "--split", "test", "--prune", store=store) == 0
    assert len(KeyStore.load(store)) == 12
    assert index("add", features(path, n=6), "--split", "test", "--prune", store=store) == 0
    assert sorted(KeyStore.load(store).items["split"].to_pylist()) == ["test"] * 2 + ["train"] * 8


def test_remove(tmp_path, capsys) -> None:
    store = tmp_path / "store"
    assert index("build", features(tmp_path / "a.npz"), store=store) == 0
    capsys.readouterr()
    assert index("remove", "1.jpg", "2.jpg", "1.jpg", store=store) == 0
    assert "10 keys (2 removed)" in capsys.readouterr().err
    assert index("remove", "--where", "label=robin", "--where", "split=test", store=store) == 0
    before = (store / "store.json").read_bytes()
    assert index("remove", "--where", "id=none*", store=store) == 0
    assert "8 keys (nothing changed)" in capsys.readouterr().err
    assert (store / "store.json").read_bytes() == before
    assert KeyStore.load(store).ids == [f"{i}.jpg" for i in (3, 4, 5, 7, 8, 9, 10, 11)]
    capsys.readouterr()
    for arguments, code, message in (
        (["none.jpg"], 1, "got 'none.jpg'"),
        ([], 2, "Say which items to remove"),
        (["1.jpg", "--where", "split=test"], 2, "cannot be combined"),
        (["--where", "label=robbin"], 2, "Did you mean 'robin'"),
    ):
        assert index("remove", *arguments, store=store) == code
        assert message in capsys.readouterr().err
    assert len(KeyStore.load(store)) == 8
    assert index("remove", "--where", "id=*", store=store) == 0
    assert len(KeyStore.load(store)) == 0
    assert verify(store) == []
    assert index("add", features(tmp_path / "a.npz"), store=store) == 0
    assert len(KeyStore.load(store)) == 12


def test_verify_names_every_fault(tmp_path, capsys) -> None:
    store = tmp_path / "store"
    assert index("build", features(tmp_path / "a.npz"), store=store) == 0
    for file in (*store.glob("keys-*"), *store.glob("items-*")):
        data = bytearray(file.read_bytes())
        data[-60] ^= 1
        file.write_bytes(data)
    capsys.readouterr()
    assert index("verify", "--format", "jsonl", store=store) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert index("verify", store=tmp_path / "none") == 1
    assert "clipfg index build" in capsys.readouterr().out


def test_an_index_is_kept_through_a_rebuild(tmp_path, capsys) -> None:
    store = tmp_path / "store"
    data = features(tmp_path / "a.npz", n=400)
    assert index("build", data, "--factory", "IVF4,Flat", store=store) == 0
    assert index("build", data, store=store) == 0
    capsys.readouterr()
    assert index("info", "--format", "json", store=store) == 0
    [facts] = json.loads(capsys.readouterr().out)
    assert facts["index"] == "IVF4,Flat"
    assert facts["recall_at_10"] >= 0.9


def test_a_damaged_store_can_be_built_again(tmp_path, capsys) -> None:
    store, data = tmp_path / "store", features(tmp_path / "a.npz")
    assert index("build", data, store=store) == 0
    next(store.glob("keys-*")).unlink()
    assert index("add", data, store=store) == 1
    assert "build the store again" in capsys.readouterr().err
    assert index("build", data, store=store) == 0
    printed = capsys.readouterr().err
    assert "12 added" in printed
    assert printed.count("The damaged store is replaced") == 1
    for damage in ("garbage", "{}"):
        (store / "store.json").write_text(damage)
        assert index("build", data, store=store) == 0
        assert "12 added" in capsys.readouterr().err
    assert verify(store) == []
    newer = (store / "store.json").read_text().replace('"format": 1', '"format": 2')
    (store / "store.json").write_text(newer)
    assert index("build", data, store=store) == 1  # not clipfg's of today to replace
    assert "of another version of clipfg" in capsys.readouterr().err
    assert (store / "store.json").read_text() == newer


def test_no_folder_is_made_where_nothing_is_kept(tmp_path) -> None:
    for command in (["remove", "x"], ["info"], ["verify"], ["add", features(tmp_path / "a.npz")]):
        assert index(*command, store=tmp_path / "none") == 1
    assert not (tmp_path / "none").exists()


def test_torch_and_faiss_share_a_process(tmp_path) -> None:
    """Each brings an OpenMP of its own; neither answers otherwise after the other, or beside it."""
    import torch

    rng = np.random.default_rng(0)
    keys = Features(("",) * 800, rng.standard_normal((800, 32)), np.zeros(800)).pooled
    items = pa.table({"id": list(map(str, range(800))), "uri": [""] * 800})
    stores = [KeyStore.of(items, keys, factory=factory) for factory in ("Flat", "IVF8,Flat")]
    matrix = torch.from_numpy(keys)
    alone = [store.search(keys[:200], 5) for store in stores]
    product = matrix @ matrix.T
    with ThreadPoolExecutor(3) as pool:
        works = [lambda s=store: s.search(keys[:200], 5) for store in stores]
        done = [pool.submit(work) for _ in range(5) for work in works]
        products = [pool.submit(lambda: matrix @ matrix.T) for _ in range(5)]
    for number, future in enumerate(done):
        np.testing.assert_array_equal(future.result().positions, alone[number % 2].positions)
    assert all(torch.equal(future.result(), product) for future in products)


def test_a_build_without_a_store_makes_the_default_one(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = features(tmp_path / "a.npz")
    for command in (["info"], ["verify"], ["add", data], ["remove", "1.jpg"]):
        assert main.run(["index", *command]) == 2
        assert "none at .clipfg/store; name one by --store DIR" in capsys.readouterr().err
    assert not Path(".clipfg").exists()
    assert main.run(["index", "build", data]) == 0
    assert "the default store" in capsys.readouterr().err
    assert main.run(["index", "remove", "1.jpg"]) == 0
    assert main.run(["index", "add", data]) == 0
    assert ".clipfg/store: 12 keys (1 added, 11 unchanged)" in capsys.readouterr().err
    assert main.run(["index", "verify"]) == 0
    assert main.run(["index", "info", "--format", "json"]) == 0
    [facts] = json.loads(capsys.readouterr().out)
    assert (facts["store"], facts["keys"]) == (".clipfg/store", 12)
    assert index("build", features(tmp_path / "a.npz", n=5), store=tmp_path / "other") == 0
    assert index("info", "--format", "json", store=tmp_path / "other") == 0
    assert json.loads(capsys.readouterr().out)[0]["keys"] == 5


def test_a_run_is_told_in_a_row(tmp_path) -> None:
    data, store = features(tmp_path / "a.npz"), tmp_path / "store"
    built = job(run_build, IndexBuildOptions, dataset=data, store=store)
    assert (built.done, built.skipped, built.keys, built.added) == (12, 0, 12, 12)
    fewer = features(tmp_path / "a.npz", n=9)
    added = job(run_add, IndexAddOptions, dataset=fewer, store=store)
    assert added.rows() == [
        {"folder": str(store), "done": 9, "skipped": 0, "keys": 12, "added": 0, "updated": 0}
        | {"unchanged": 9, "removed": 0, "vanished": ["9.jpg", "10.jpg", "11.jpg"]}
    ]
    again = job(run_build, IndexBuildOptions, dataset=fewer, store=store)
    assert (again.done, again.keys, again.unchanged, again.removed) == (9, 9, 9, 3)
    removed = run_remove(resolve(IndexRemoveOptions, {"store": store}), ["1.jpg"])
    assert (removed.keys, removed.removed, removed.exit_code) == (8, 1, 0)
