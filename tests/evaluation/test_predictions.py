import os
import signal
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from clipfg.errors import DataError
from clipfg.evaluation import PredictionWriter
from clipfg.types import ClassList

CLASSES = ClassList(("rose", "iris, blue", "aster"))


def test_a_row_for_every_item(tmp_path) -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
    with PredictionWriter(tmp_path / "p.parquet", CLASSES, top_k=2) as writer:
        writer.write(["a", "b"], ["/a", "/b"], logits[:2], [1, 2])
        returned = writer.write(["c"], ["/c"], logits[2:])
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    assert rows[2:] == returned
    shares = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(1, keepdims=True)
    assert [r["prediction"] for r in rows] == ["iris, blue", "rose", "aster"]
    assert [r["label"] for r in rows] == ["iris, blue", "aster", None]
    assert [r["correct"] for r in rows] == [True, False, None]
    assert [r["names"] for r in rows] == [
        ["iris, blue", "aster"],
        ["rose", "iris, blue"],
        ["aster", "rose"],
    ]
    for row, share in zip(rows, shares, strict=True):
        assert row["probabilities"] == pytest.approx(sorted(share)[::-1][:2], rel=1e-5)
        assert row["probability"] == row["probabilities"][0]


def test_sigmoid_probabilities_need_not_sum_to_one(tmp_path) -> None:
    with PredictionWriter(tmp_path / "p.parquet", CLASSES, scoring="sigmoid") as writer:
        (row,) = writer.write(["a"], ["/a"], torch.tensor([[0.0, np.log(3.0), 0.0]]).float())
    assert row["probabilities"] == pytest.approx([0.75, 0.5, 0.5])


def test_top_k_beyond_the_classes_is_all_of_them(tmp_path) -> None:
    with PredictionWriter(tmp_path / "p.parquet", CLASSES, top_k=10) as writer:
        (row,) = writer.write(["a"], ["/a"], torch.zeros(1, 3))
    assert row["names"] == list(CLASSES.names)


def test_no_items_make_an_empty_table(tmp_path) -> None:
    with PredictionWriter(tmp_path / "p.parquet", CLASSES):
        pass
    assert pq.read_table(tmp_path / "p.parquet").num_rows == 0


def test_many_batches_are_few_row_groups(tmp_path) -> None:
    with PredictionWriter(tmp_path / "p.parquet", CLASSES) as writer:
        for i in range(1000):
            writer.write([f"{i}-{j}" for j in range(10)], ["u"] * 10, torch.zeros(10, 3))
    file = pq.ParquetFile(tmp_path / "p.parquet")
    assert (writer.rows, file.metadata.num_rows, file.metadata.num_row_groups) == (10000, 10000, 2)
    assert file.read(["id"])["id"].to_pylist()[-1] == "999-9"


def test_an_error_in_the_block_leaves_the_old_file(tmp_path) -> None:
    path = tmp_path / "p.parquet"
    path.write_bytes(b"old")
    with pytest.raises(ValueError), PredictionWriter(path, CLASSES) as writer:  # noqa: PT011, PT012
        writer.write(["a"], ["/a"], torch.zeros(1, 3))
        writer.write(["b", "c"], ["/b"], torch.zeros(1, 3))  # lengths that differ
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["p.parquet"]


KILLED = """
import os, signal, sys, torch
from clipfg.evaluation import PredictionWriter
from clipfg.types import ClassList
writer = PredictionWriter(sys.argv[1], ClassList(("a", "b")))
for _ in range(20):
    writer.write([str(i) for i in range(1000)], ["u"] * 1000, torch.zeros(1000, 2))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "p.parquet"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (tmp_path / "p.parquet").exists()


def test_the_file_has_ordinary_permissions(tmp_path) -> None:
    with PredictionWriter(tmp_path / "p.parquet", CLASSES):
        pass
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert (tmp_path / "p.parquet").stat().st_mode == plain.stat().st_mode


def test_a_folder_that_is_not_there(tmp_path) -> None:
    with pytest.raises(DataError, match="Could not write"):
        PredictionWriter(tmp_path / "no" / "p.parquet", CLASSES)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")  # noqa: PTH110
def test_a_full_disk_is_one_sentence(tmp_path) -> None:
    writer = PredictionWriter(tmp_path / "p.parquet", CLASSES)
    writer.write(["a"], ["/a"], torch.zeros(1, 3))
    # what the writer holds open from now on is a device that is always full
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor_of(tmp_path / ".p.parquet"))
    with pytest.raises(DataError, match="No space left"):
        writer.close()
    assert list(tmp_path.iterdir()) == []


def descriptor_of(prefix) -> int:
    for link in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            if os.readlink(f"/proc/self/fd/{link}").startswith(str(prefix)):  # noqa: PTH115
                return int(link)
        except OSError:
            continue
    raise AssertionError("the writer holds no file open")
