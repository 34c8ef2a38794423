import logging
import subprocess
import sys
import tracemalloc
import zipfile
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipfg.embedding.feature_files import read_features, write_features
from clipfg.errors import DataError, UsageError
from clipfg.types import ClassList, Features, Patches, Regions, unit_norm

SUFFIXES = [".parquet", ".npz", ".safetensors"]


def some(rows: int = 7, dim: int = 5) -> Features:
    generator = np.random.default_rng(3)
    return Features(
        ids=tuple(f"images/ünï {row}, 'q'.jpg" for row in range(rows)),
        pooled=generator.standard_normal((rows, dim)).astype(np.float32),
        labels=np.array([row % 3 - 1 for row in range(rows)]),
        classes=ClassList(("heath, wood", "Ö"), {"Ö": "umlauts"}, {"Ö": ("a text", "another")}),
        fingerprint="abc",
        manifest="def",
        splits=tuple([None, "train", "test"][row % 3] for row in range(rows)),
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [0, 1, 7, 20_000])
def test_features_come_back_bit_for_bit(tmp_path: Path, suffix: str, rows: int) -> None:
    features = some(rows)
    write_features(features, tmp_path / f"f{suffix}")
    back = read_features(tmp_path / f"f{suffix}")
    np.testing.assert_array_equal(back.pooled.view(np.uint32), features.pooled.view(np.uint32))
    np.testing.assert_array_equal(back.labels, features.labels)
    assert (back.ids, back.splits, back.classes) == (
        features.ids,
        features.splits,
        features.classes,
    )
    assert (back.fingerprint, back.manifest) == ("abc", "def")
    assert [path.name for path in tmp_path.iterdir()] == [f"f{suffix}"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_features_without_labels_or_splits_come_back(tmp_path: Path, suffix: str) -> None:
    features = Features(("a", "b"), np.eye(2, dtype=np.float32), np.array([-1, -1]))
    write_features(features, tmp_path / f"f{suffix}")
    back = read_features(tmp_path / f"f{suffix}")
    assert set(back.splits) <= {None}
    assert back.labels.tolist() == [-1, -1]
    assert back.classes is None


def dense(rows: int = 7, dim: int = 5) -> Features:
    """With patches on various grids, up to three regions an item, and bags."""
    generator = np.random.default_rng(4)
    grids = generator.integers(1, 5, (rows, 2))
    counts = np.arange(rows) % 4
    regions = int(counts.sum())
    return replace(
        some(rows, dim),
        patches=Patches(
            generator.standard_normal((int(grids.prod(1).sum()), dim)).astype(np.float16), grids
        ),
        regions=Regions(
            unit_norm(generator.standard_normal((regions, dim))),
            generator.random((regions, 4)).astype(np.float32),
            np.concatenate([[0], np.cumsum(counts)]),
            tuple(f"a ‘phrase’ {i}" if i % 3 else None for i in range(regions)),
        ),
        bag_offsets=(offsets := np.array(sorted({0, rows // 3, rows // 2, rows}))),
        bag_names=tuple(f"‘plant’ {9 - i:03d}" for i in range(len(offsets) - 1)),
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [0, 1, 7, 500])
@pytest.mark.parametrize("parts", [("patches",), ("regions",), ("bag_offsets",), None])
def test_patches_regions_and_bags_come_back(
    tmp_path: Path,
    suffix: str,
    rows: int,
    parts: tuple[str, ...] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clipfg.embedding.parquet_features.ROW_GROUP", 1 << 12)
    features = dense(rows)
    if parts:
        gone = {"patches", "regions", "bag_offsets"} - set(parts)
        names = () if "bag_offsets" in gone else features.bag_names
        features = replace(features, **dict.fromkeys(gone), bag_names=names)
    write_features(features, tmp_path / f"f{suffix}")
    back = read_features(tmp_path / f"f{suffix}")
    assert back.ids == features.ids
    for name, own in vars(features).items():
        read = getattr(back, name)
        if name == "bag_offsets" and own is not None:
            np.testing.assert_array_equal(read, own)
        if isinstance(own, Patches | Regions):
            for field, array in vars(own).items():
                if isinstance(array, np.ndarray):
                    assert array.dtype == getattr(read, field).dtype
                    np.testing.assert_array_equal(getattr(read, field), array)
        else:
            assert (own is None) == (read is None)
    assert back.bag_names == features.bag_names
    if features.regions is not None:
        assert back.regions.phrases == features.regions.phrases


def test_others_can_read_what_is_written(tmp_path: Path) -> None:
    features = some()
    for suffix in SUFFIXES:
        write_features(features, tmp_path / f"f{suffix}")
    with np.load(tmp_path / "f.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["features"], features.pooled)
        assert arrays["ids"].tolist() == list(features.ids)
    table = pq.read_table(tmp_path / "f.parquet")
    np.testing.assert_array_equal(table["embedding"].to_pylist(), features.pooled)
    assert table["label"].null_count == 3
    from safetensors.numpy import load_file

    np.testing.assert_array_equal(load_file(tmp_path / "f.safetensors")["labels"], features.labels)


X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def write_theirs(path: Path, arrays: dict[str, np.ndarray]) -> None:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({k: list(v) for k, v in arrays.items()}), path)
    else:
        from safetensors.numpy import save_file

        save_file(arrays, path)


def check(features: Features, labels: list[int] | None = None) -> None:
    np.testing.assert_allclose(features.pooled, unit_norm(X), atol=1e-6)
    assert features.labels.tolist() == (labels or [-1] * 6)
    assert len(set(features.ids)) == 6


@pytest.mark.parametrize("name", ["features", "embeddings", "x", "X", "image_features", "anything"])
@pytest.mark.parametrize("labels", ["labels", "y", "targets", None])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_matrix_by_any_name(tmp_path: Path, name: str, labels: str | None, suffix: str) -> None:
    arrays = {name: X}
    if labels:
        arrays[labels] = np.array([2, 0, 1, 1, 0, 2])
    path = tmp_path / f"theirs{suffix}"
    write_theirs(path, arrays)
    features = read_features(path)
    check(features, [2, 0, 1, 1, 0, 2] if labels else None)
    assert features.classes == (ClassList(("0", "1", "2")) if labels else None)


def test_bfloat16_and_text_features_in_safetensors(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {"image_embeds": torch.from_numpy(X).bfloat16(), "text_embeds": torch.ones(2, 4)}
    save_file(tensors, tmp_path / "t.safetensors")
    features = read_features(tmp_path / "t.safetensors")
    np.testing.assert_allclose(features.pooled, unit_norm(X), atol=0.01)


@pytest.mark.parametrize("kind", ["list", "large", "fixed", "columns", "halves"])
def test_parquet_of_others(tmp_path: Path, kind: str) -> None:
    names = ["b", "a", "b", "", "a", "b"]
    columns: dict[str, object] = {
        "path": [f"{i}.jpg" for i in range(6)],
        "label": pa.array(names).dictionary_encode(),
        "split": ["train"] * 3 + ["test"] * 3,
    }
    rows = X.tolist()
    if kind == "columns":
        columns |= {f"f{i}": X[:, i] for i in range(4)}
    elif kind == "halves":
        columns["emb"] = pa.array(X.astype(np.float16).tolist(), pa.list_(pa.float16()))
    else:
        types = {"list": pa.list_(pa.float64()), "large": pa.large_list(pa.float32())}
        columns["emb"] = pa.array(rows, types.get(kind, pa.list_(pa.float32(), 4)))
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=4)
    features = read_features(tmp_path / "t.parquet")
    np.testing.assert_allclose(features.pooled, unit_norm(X), atol=2e-3)
    assert features.labels.tolist() == [1, 0, 1, -1, 0, 1]
    assert features.classes == ClassList(("a", "b"))
    assert features.ids[5] == "5.jpg"
    assert Counter(features.splits) == {"train": 3, "test": 3}


def test_a_matrix_for_each_split(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "t.npz",
        X_train=X[:4],
        y_train=np.array([0, 1, 0, 1]),
        X_test=X[4:],
        y_test=np.array([1.0, 0.0]),
        class_names=np.array(["cat", "dog"]),
    )
    features = read_features(tmp_path / "t.npz")
    check(features, [0, 1, 0, 1, 1, 0])
    assert features.splits == ("train",) * 4 + ("test",) * 2
    assert features.classes == ClassList(("cat", "dog"))


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "sizes", "first"),
    [
        ("fgvc", {"test": 3333, "val": 3333, "train": 1600}, "0"),
        ("caltech101", {"test": 2465, "val": 1649, "train": 1600}, "face"),
    ],
)
def test_published_clip_features(
    shared: Path, name: str, sizes: dict[str, int], first: str
) -> None:
    path = shared / "data" / "clip-features" / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    features = read_features(path)
    assert Counter(features.splits) == sizes
    assert features.classes is not None
    assert (features.classes.names[0], len(features.classes)) == (first, 100)
    with np.load(path, allow_pickle=False) as arrays:
        train = np.array([split == "train" for split in features.splits])
        np.testing.assert_array_equal(features.labels[train], arrays["keys_16_l"])
        expected = arrays["test_f"].astype(np.float32)
        test = np.array([split == "test" for split in features.splits])
        np.testing.assert_allclose(features.pooled[test], expected, atol=1e-3)
        np.testing.assert_array_equal(features.labels[test], arrays["test_l"])
    # The published accuracy of class means on the 16-shot set: 32.0 % and 91.4 %.
    means = np.stack(
        [features.pooled[train][features.labels[train] == c].mean(0) for c in range(100)]
    )
    scores = features.pooled[test] @ unit_norm(means).T
    accuracy = (scores.argmax(1) == features.labels[test]).mean() * 100
    assert accuracy == pytest.approx({"fgvc": 32.0, "caltech101": 91.4}[name], abs=0.1)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_rows_in_bags_are_brought_together(tmp_path: Path, suffix: str) -> None:
    arrays = {"features": X, "bag": np.array([2, 0, 2, 1, 0, 2]), "bag_label": np.array([1, 0, 1])}
    if suffix == ".parquet":
        arrays = {**arrays, "bag": np.array(["02", "1", "02", "0", "1", "02"])}
        arrays["label"] = arrays.pop("bag_label")[[2, 0, 2, 1, 0, 2]]
    write_theirs(tmp_path / f"f{suffix}", arrays)
    found = read_features(tmp_path / f"f{suffix}")
    assert found.ids == tuple("025143")
    np.testing.assert_allclose(found.pooled, unit_norm(X[[0, 2, 5, 1, 4, 3]]), atol=1e-6)
    assert found.labels.tolist() == [1, 1, 1, 1, 1, 0]
    assert found.bag_offsets.tolist() == [0, 3, 5, 6]
    assert found.bag_names == (("02", "1", "0") if suffix == ".parquet" else ("2", "0", "1"))
    assert found.bags([2, 0]).bag_names == (found.bag_names[2], found.bag_names[0])
    assert found.rows([1, 2, 5]).bag_names == (found.bag_names[0], found.bag_names[2])


def test_bags_that_do_not_fit_are_reported(tmp_path: Path) -> None:
    for name, arrays, said in (
        ("some", {"bag": np.array(["a", "", "a", "b", "b", "b"])}, "a bag for every row, got none"),
        ("nan", {"bag": np.array([0, 1, 1, 0, 0, np.nan])}, "a bag for every row, got none for 1"),
        ("few", {"bag": np.arange(6), "bag_label": np.arange(2)}, "a label for each row, or for"),
    ):
        np.savez(tmp_path / f"{name}.npz", features=X, **arrays)
        with pytest.raises(DataError, match=said):
            read_features(tmp_path / f"{name}.npz")


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("exploded"),))


def test_nothing_is_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    bombs = np.array([Bomb()] * 6, dtype=object)
    np.savez(tmp_path / "t.npz", features=X, paths=bombs)
    with caplog.at_level(logging.WARNING, "clipfg"):
        check(read_features(tmp_path / "t.npz"))
    assert "paths" in caplog.text
    np.savez(tmp_path / "u.npz", features=bombs)
    with pytest.raises(DataError, match="matrix of features"):
        read_features(tmp_path / "u.npz")
    assert not Path("exploded").exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 half a zip", b"PAR1"])
def test_unreadable_files_are_reported(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"Expected .*bad"):
        read_features(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_file_is_reported(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half{suffix}"
    write_features(some(100), path)
    whole = path.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 23)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"Expected .*half"):
            read_features(path)


def test_arrays_that_are_not_features_are_reported(tmp_path: Path) -> None:
    cases = {
        "zero": {"features": np.zeros((2, 3))},
        "nan": {"features": np.full((2, 3), np.nan)},
        "vector": {"features": np.ones(3)},
        "labels": {"features": X, "labels": np.full(6, 7), "classnames": np.array(["a"])},
        "fractions": {"features": X, "labels": np.full(6, 0.5)},
        "stranger": {"features": X, "labels": np.array(["z"] * 6), "classnames": np.array(["a"])},
        "widths": {"test_f": np.ones((2, 3)), "val_f": np.ones((2, 4))},
        "huge": {"features": X, "labels": np.full(6, 2**40)},
    }
    for name, arrays in cases.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        with pytest.raises(DataError, match=rf"(?s)Expected .*{name}\.npz"):
            read_features(tmp_path / f"{name}.npz")
    with pytest.raises(UsageError, match="parquet"):
        read_features(tmp_path / "features.csv")
    with pytest.raises(DataError, match="got none at"):
        read_features(tmp_path / "absent.npz")
    with pytest.raises(DataError, match="write"):
        write_features(some(), Path("/proc/absent/f.npz"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_writer_that_fails_leaves_the_old_file(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"f{suffix}"
    write_features(some(3), path)
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", fail)
    monkeypatch.setattr(np, "savez", fail)
    monkeypatch.setattr("safetensors.numpy.save_file", fail)
    with pytest.raises(KeyboardInterrupt):
        write_features(some(4), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("part", ["patches", "regions"])
def test_values_that_are_not_finite_are_refused(
    tmp_path: Path, suffix: str, part: str, value: float
) -> None:
    features = dense()
    getattr(features, part).values[3, 1] = value
    write_features(features, tmp_path / f"f{suffix}")
    with pytest.raises(DataError, match=f"Expected finite {part}, got NaN or infinity"):
        read_features(tmp_path / f"f{suffix}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": np.array([0, 1, 2, 0, 1, 0, 5])}, "labels below 2"),
        ({"labels": np.array([0, 1, -2, 0, 1, 0, 1])}, "labels from 0, got -2"),
        ({"labels": np.ones(7)}, "kind iu as labels, got float64"),
        ({"features": np.full((7, 5), "1.5")}, "kind f as features"),
        ({"features": np.ones((7, 5), np.complex64)}, "kind f as features"),
        ({"patch_grids": -np.ones((7, 2), np.int64)}, "patch_grids from 0"),
        ({"region_offsets": np.array([0, 9, 1, 2, 3, 4, 5, 9])}, "region_offsets that rise"),
        ({"region_boxes": np.full((9, 4), np.nan)}, "finite region_boxes"),
        ({"bag_offsets": np.array([0, 1, 20])}, "bag offsets that rise from 0 to 7"),
        ({"bag_offsets": np.empty(0, np.int64)}, "IndexError"),
    ],
)
def test_arrays_that_lie_are_refused(tmp_path: Path, change: dict, words: str) -> None:
    write_features(dense(), tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz") as whole:
        np.savez(tmp_path / "g.npz", **{**whole, **change})
    with pytest.raises(DataError, match=words):
        read_features(tmp_path / "g.npz")


def test_a_few_bytes_that_unfold_to_gigabytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        header = BytesIO()
        shape = {"descr": "<f4", "fortran_order": False, "shape": (75_000, 1000)}
        np.lib.format.write_array_header_1_0(header, shape)
        archive.writestr("features.npy", header.getvalue() + bytes(300_000_000))
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    with pytest.raises(DataError, match="unfold to 286 MiB"):
        read_features(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_is_a_sentence(tmp_path: Path, suffix: str) -> None:
    code = (
        "import resource; from pathlib import Path\n"
        "from clipfg.embedding.feature_files import write_features\n"
        "from tests.embedding.test_feature_files import some\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        f"write_features(some(2000), Path({str(tmp_path / ('f' + suffix))!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DataError: Could not write" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@settings(max_examples=120, deadline=None)
@given(
    suffix=st.sampled_from(SUFFIXES),
    damage=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.floats(0.3, 3.0),
)
def test_damage_ends_in_features_or_in_a_sentence(
    suffix: str, damage: list[tuple[float, int]], cut: float
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"f{suffix}"
        write_features(dense(), path)
        data = bytearray(path.read_bytes())
        for place, value in damage:
            data[int(place * len(data))] = value
        path.write_bytes(data[: int(cut * len(data))])
        said = ""
        try:
            read_features(path)
        except DataError as error:
            said = str(error)
        assert "\n" not in said
        assert len(said) < 700


def test_rows_that_take_no_space_in_the_file_do_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_features(some(500), tmp_path / "f.parquet")
    monkeypatch.setattr("clipfg.embedding.parquet_features.machine_memory", lambda: 10_000)
    with pytest.raises(DataError, match="500 rows, which take"):
        read_features(tmp_path / "f.parquet")
