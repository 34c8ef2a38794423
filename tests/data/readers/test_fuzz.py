"""Damaged files of every kind that is read end in a sentence, if not in data.

A short run over each reader is part of every test run, a long one (`pytest -m long`) is not.
"""

import io
import json
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from safetensors.numpy import save

from clipfg.data.loading import load_dataset
from clipfg.data.readers.class_files import read_class_list
from clipfg.data.readers.support_files import read_support_file
from clipfg.embedding.feature_files import read_features
from clipfg.errors import ClipfgError
from clipfg.heads import load_head
from clipfg.prompting.loading import load_prompts
from clipfg.workflows.report import compare, read_reports, shown_of
from clipfg.workflows.retrieve.queries import read_queries

UNITS = np.eye(3, 4, dtype=np.float32)


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", encoding="latin-1") as archive:
        for name, data in {"a.jpg": b"\xff\xd8\xff", "a.cls": b"Jay", "é.jpg": b"x"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def table() -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"path": ["a.jpg", "b.jpg"], "label": ["Jay", "Duck"]}), buffer)
    return buffer.getvalue()


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, features=UNITS, labels=np.array([0, 1, 0]))
    return buffer.getvalue()


def shown(path: Path) -> Any:
    reports = read_reports(path)
    with shown_of([path]):
        return compare(reports)


COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]}],
    "categories": [{"id": 2, "name": "Jay"}],
}
RESULTS = {
    "kind": "report",
    "schema": 1,
    "n": 3,
    "metrics": {"top1": {"value": 0.5, "low": 0.1, "high": 0.9}},
    "classes": [{"name": "Jay", "n": 3}],
}
READERS: dict[str, tuple[Callable[[Path], Any], str, bytes]] = {
    "csv": (lambda p: load_dataset(str(p)), ".csv", 'path,label\na.jpg,"Jay"\nb.jpg,é\n'.encode()),
    "utf-16": (
        lambda p: load_dataset(str(p)),
        ".csv",
        "path\tlabel\na.jpg\tJay\n".encode("utf-16"),
    ),
    "jsonl": (lambda p: load_dataset(str(p)), ".jsonl", b'{"path": "a.jpg", "label": "Jay"}\n'),
    "parquet": (lambda p: load_dataset(str(p)), ".parquet", table()),
    "tar": (lambda p: load_dataset(str(p)), ".tar", tar()),
    "coco": (lambda p: load_dataset(str(p)), ".json", json.dumps(COCO).encode()),
    "class-json": (read_class_list, ".json", b'{"1": "Jay", "2": {"name": "Duck"}}'),
    "class-yaml": (read_class_list, ".yaml", b"names:\n  0: Jay\n  1: Duck\n"),
    "class-text": (read_class_list, ".txt", "Jay\nDuck\n".encode("utf-16")),
    "support": (read_support_file, ".csv", b"id;Label\na.jpg;Jay\n"),
    "queries": (read_queries, ".txt", "a blue jay\nécru\n".encode()),
    "prompts": (lambda p: load_prompts(str(p)), ".yaml", b"templates:\n- a photo of a {}.\n"),
    "npz": (read_features, ".npz", arrays()),
    "feature-parquet": (read_features, ".parquet", table()),
    "safetensors": (read_features, ".safetensors", save({"features": UNITS})),
    "head": (load_head, ".safetensors", save({"weights_": UNITS}, {"clipfg": '{"format": 1}'})),
    "report": (shown, ".json", json.dumps(RESULTS).encode()),
}
PIECES = st.sampled_from(
    [
        *(
            b"\x00",
            b"\xff\xfe",
            b"\x81",
            b"\xc3",
            b"\xed\xa0\x80",
            b'"',
            b"\\ud800",
            b"{",
            b"[" * 999,
        ),
        *(
            b"9" * 5000,
            b"1e999",
            b"NaN",
            b"null",
            b"-1",
            b"\n\n",
            b"&a [*a]",
            b"2001-99-99",
            b"\x1b[",
        ),
    ]
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(PIECES, st.binary(max_size=8))),
    max_size=4,
)
"""Where, as a share of the file; how many bytes go there; what comes in their place."""


def check(name: str, edits: list[tuple[float, int, bytes]], keep: float, folder: Path) -> None:
    read, suffix, data = READERS[name]
    for place, gone, piece in edits:
        at = int(place * len(data))
        data = data[:at] + piece + data[at + gone :]
    file = folder / f"x{suffix}"
    file.write_bytes(data[: int(keep * len(data))] if keep < 0.9 else data)
    with suppress(ClipfgError):
        read(file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fuzz")
    for name in "ab":
        (made / f"{name}.jpg").touch()
    return made


SHARED_FOLDER = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, suppress_health_check=SHARED_FOLDER)
@given(edits=EDITS, keep=st.floats(0, 2))
def test_a_few_damaged_files(name, edits, keep, folder) -> None:
    check(name, edits, keep, folder)


@pytest.mark.long
@pytest.mark.parametrize("name", READERS)
@settings(max_examples=1500, suppress_health_check=SHARED_FOLDER)
@given(edits=EDITS, keep=st.floats(0, 2))
def test_many_damaged_files(name, edits, keep, folder) -> None:
    check(name, edits, keep, folder)
