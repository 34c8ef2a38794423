"""`clipfg bags` and `clipfg predict` with its head, on drawn features and pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import clipfg
from clipfg.cli import main
from clipfg.embedding.feature_files import write_features
from clipfg.errors import DataError, UsageError
from clipfg.heads import FeatureSets
from clipfg.types import ClassList, Features
from clipfg.workflows.bags.copies import copied
from clipfg.workflows.bags.instances import Instances

BAGS, WIDTH = 40, 8


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipfg.heads.bags.base.STEPS", (40,))


def world(path: Path, splits: bool = False, spoil: str = "", seed: int = 0) -> str:
    """Bags of 4 to 8 rows; those of `sick` have one that is different."""
    rng = np.random.default_rng(seed)
    ids, labels, parts, rows = [], [], [], []
    for bag in range(BAGS):
        for place in range(rng.integers(4, 9)):
            row = rng.normal(size=WIDTH)
            row[0] += 20 * (place < 2 and bag % 2)
            row[1] -= 20 * (spoil == "strange")
            row[2] += 10  # as encoders' features have much in common
            ids.append(f"plant{bag}/leaf{place}.jpg")
            labels.append(bag % 2)
            parts.append("test" if bag >= BAGS // 2 else "train")
            rows.append(row)
    if spoil == "alone":
        labels = [1] * len(labels)
    if spoil == "label":
        labels[1] = 1
    if spoil == "split":
        parts[1] = "test"
    features = Features(
        ids=tuple(ids),
        pooled=np.array(rows, dtype=np.float32),
        labels=np.array(labels),
        classes=ClassList(("healthy", "sick")),
        splits=tuple(parts) if splits or spoil in ("label", "split") else (),
    )
    write_features(features, path)
    return f"features:{path}"


def test_heads_are_compared_on_folds_and_the_first_is_saved(tmp_path: Path) -> None:
    data = world(tmp_path / "world.npz")
    run = clipfg.bags(
        data,
        bag_by="folder",
        heads="bag-mean,bag-max",
        seeds=2,
        folds=2,
        output=tmp_path / "run",
        save=tmp_path / "head.safetensors",
        html=True,
    )
    first, second = run.rows()
    assert first["head"] == "bag-mean"
    assert first["auc"] > 0.65
    assert second["auc_difference"] == pytest.approx(second["auc"] - first["auc"])
    assert first["auc_p_value"] is None
    bags = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    instances = pq.read_table(tmp_path / "run" / "instances.parquet").to_pylist()
    assert [row["id"] for row in bags] == [f"plant{i}" for i in range(BAGS)]
    assert sum(row["instances"] for row in bags) == len(instances)
    assert {row["about"] for row in instances} == {"sick"}
    key = [row["rank"] for row in instances if row["id"].endswith("leaf1.jpg")][1::2]
    assert np.mean(np.array(key) <= 2) > 0.7
    assert "of bags right with bag-mean" in (tmp_path / "run" / "report.html").read_text()
    assert json.loads((tmp_path / "run" / "results.json").read_text())["kind"] == "bags"

    found = clipfg.predict(
        data, head=tmp_path / "head.safetensors", output=tmp_path / "new", prediction_set=0.8
    )
    assert found.done == len(instances)
    assert len(found.rows()) == BAGS
    assert all("set" in row for row in found.rows())
    right = [
        row["prediction"] == ("sick" if i % 2 else "healthy") for i, row in enumerate(found.rows())
    ]
    assert np.mean(right) > 0.7
    assert len(pq.read_table(tmp_path / "new" / "instances.parquet")) == len(instances)
    alone = clipfg.predict(
        data, head=tmp_path / "head.safetensors", bag_by="id", output=tmp_path / "alone"
    )
    assert len(alone.rows()) == len(instances)  # a bag of one is a bag


def test_a_head_remembers_the_column_of_its_bags(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["file,label,plant"]
    for i in range(12):
        colour = (200, 40, 40) if i % 4 < 2 else (40, 200, 40)
        pixels = np.clip(rng.normal(colour, 30, (32, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{'sick' if i % 4 < 2 else 'healthy'},plant{i // 2}")
    table = tmp_path / "leaves.csv"
    table.write_text("\n".join(lines))
    head = tmp_path / "head.safetensors"
    common = {"model": "builtin:florette", "precision": "fp32", "cache_dir": tmp_path / "cache"}
    tried = {"heads": "bag-mean", "seeds": 1, "folds": 2}
    run = clipfg.bags(table, bag_by="plant", save=head, output=tmp_path / "run", **tried, **common)
    assert run.report.n == 6
    found = clipfg.predict(dataset=table, head=head, output=tmp_path / "new", **common).rows()
    assert [row["id"] for row in found] == [f"plant{i}" for i in range(6)]
    assert [row["prediction"] for row in found] == ["sick", "healthy"] * 3


def test_the_train_split_is_learnt_from_and_the_test_split_answered(tmp_path: Path) -> None:
    data = world(tmp_path / "world.npz", splits=True)
    run = clipfg.bags(
        data,
        bag_by=r"(plant\d+)/",
        heads="bag-max",
        seeds=1,
        output=tmp_path / "run",
        target_error=0.3,
    )
    assert run.report.n == BAGS // 2
    assert any(remark.startswith("Answered ") for remark in run.report.remarks)
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    assert [row["id"] for row in rows] == [f"plant{i}" for i in range(BAGS // 2, BAGS)]
    assert run.report.rows()[0]["top1"] > 0.7


def test_bags_that_copy_those_learnt_from_are_said() -> None:
    """Rows 0, 1 | 1, 2 | 0, 0, 1 | 3, 0: of the first three, two have all they hold elsewhere."""
    rows = torch.eye(4)[[0, 1, 1, 2, 0, 0, 1, 3, 0]]
    sets = FeatureSets(rows, torch.tensor([0, 2, 4, 7, 9]))
    found = Instances(sets, np.arange(9), np.arange(4))
    every = np.arange(4)
    assert copied(found, every, every).tolist() == [0, 2]
    assert copied(found, every[:2], every[2:]).tolist() == [2]
    assert copied(found, every[1:2], every[[0, 2, 3]]).tolist() == []


def test_bags_unlike_any_that_were_learnt_from_are_flagged(tmp_path: Path, capsys) -> None:
    data, head = world(tmp_path / "world.npz"), str(tmp_path / "head.safetensors")
    words = ["bags", data, "--bag-by", "folder", "--head", "bag-mean", "--seeds", "1"]
    words += ["--folds", "2", "--save", head]
    assert main.run([*words, "--unknown", "-o", str(tmp_path / "run")]) == 0
    assert (
        "5% of bags of known classes are flagged as unknown, by the mean cosine of instances"
        in (capsys.readouterr().err)
    )
    new = ["predict", "--head", head, "--unknown", "-o"]
    found = {}
    for name, spoil in (("known", ""), ("unknown", "strange")):
        made = world(tmp_path / f"{name}.npz", spoil=spoil, seed=1)
        assert main.run([*new, str(tmp_path / name), "--dataset", made, "--split", "all"]) == 0
        rows = pq.read_table(tmp_path / name / "predictions.parquet").to_pylist()
        found[name] = np.mean([row["unknown"] for row in rows])
    assert found["known"] <= 0.2
    assert found["unknown"] == 1
    capsys.readouterr()
    assert main.run([*words, "-o", str(tmp_path / "plain")]) == 0
    assert main.run([*new, str(tmp_path / "none"), "--dataset", data]) == 0
    assert "No bag is flagged as unknown: the head was saved without" in capsys.readouterr().err
    rows = pq.read_table(tmp_path / "none" / "predictions.parquet").to_pylist()
    assert {row["unknown"] for row in rows} == {None}


def test_a_limit_draws_whole_bags_over_classes_and_splits(tmp_path: Path, capsys) -> None:
    data = world(tmp_path / "world.npz", splits=True)
    words = ["bags", data, "--bag-by", "folder", "--head", "bag-max", "--seeds", "1"]
    words += ["--limit", "12", "--save", str(tmp_path / "head.safetensors")]
    assert main.run([*words, "-o", str(tmp_path / "run")]) == 0
    assert "Used: 12 of the bags" in capsys.readouterr().err
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    assert len(rows) == 6  # of the test split
    assert sorted(row["label"] for row in rows) == 3 * ["healthy"] + 3 * ["sick"]
    words = ["predict", "--dataset", data, "--head", str(tmp_path / "head.safetensors")]
    words += ["--split", "all", "--limit", "7", "--format", "table"]
    assert main.run([*words, "-o", str(tmp_path / "new")]) == 0
    assert capsys.readouterr().out.split()[:2] == ["bag", "prediction"]
    assert main.run([*words, "--without", "1", "-o", str(tmp_path / "new")]) == 2
    assert "--without is about single images or patches" in capsys.readouterr().err
    rows = pq.read_table(tmp_path / "new" / "predictions.parquet").to_pylist()
    whole = {f"plant{i}": 0 for i in range(BAGS)}
    for name in np.load(tmp_path / "world.npz", allow_pickle=False)["ids"].tolist():
        whole[name.split("/")[0]] += 1
    assert len(rows) == 7
    assert all(row["instances"] == whole[row["id"]] for row in rows)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [("label", "got 'healthy' and 'sick' in 'plant0'"), ("split", "items of 'plant0' in 'train'")],
)
def test_a_bag_has_one_label_and_one_split(tmp_path: Path, spoil: str, said: str) -> None:
    data = world(tmp_path / "world.npz", spoil=spoil)
    with pytest.raises(DataError, match=said):
        clipfg.bags(data, bag_by="folder", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_class_is_nothing_to_tell_apart(tmp_path: Path) -> None:
    data = world(tmp_path / "world.npz", spoil="alone")
    with pytest.raises(DataError, match="two classes to tell apart, got those of 'sick' alone"):
        clipfg.bags(data, bag_by="folder", output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "Expected bags in features:.*, got none"),
        ({"bag_by": "plant"}, "Expected for --bag-by folder"),
        ({"bag_by": "(leaf1.jpg)"}, "got none for"),
        ({"bag_by": "(.*)"}, "have one alone"),
        ({"bag_by": "folder", "heads": "gda"}, "Expected heads on bags, of abmil, "),
        ({"bag_by": r"(plant\d*[02468])/"}, "got none for"),
        ({"bag_by": "folder", "negative": "well"}, "Expected for --negative a class"),
        ({"bag_by": "folder", "split": "test"}, "no splits"),
        (
            {"bag_by": "folder", "limit": 3, "seed": 1},
            "two classes to test on, got those of one; give two",
        ),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    data = world(tmp_path / "world.npz")
    with pytest.raises((UsageError, DataError), match=said):
        clipfg.bags(data, output=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_pictures_that_cannot_be_read_leave_their_bag(tmp_path: Path, capsys) -> None:
    rng = np.random.default_rng(0)
    lines = ["path,label,plant no"]
    for row in range(24):
        name, label = f"{row}.png", row // 3 % 2
        noise = rng.integers(0, 100, (40, 40, 3), dtype=np.uint8)
        noise[..., 0] += 100 * np.uint8(label and row % 3 == 0)
        Image.fromarray(noise).save(tmp_path / name)
        lines.append(f"{name},{'ab'[label]},bag{row // 3}{' ' * (row % 3)}")
    for row in range(3):
        (tmp_path / f"{row}.png").write_bytes(b"no picture")
    (tmp_path / "data.csv").write_text("\n".join(lines))
    data, head = str(tmp_path / "data.csv"), str(tmp_path / "head.safetensors")
    words = ["bags", data, "--bag-by", "Plant No", "--model", "builtin:florette", "--negative", "-"]
    words += ["--head", "bag-mean", "--seeds", "1", "--folds", "2", "--html", "--save", head]
    assert main.run([*words, "-o", str(tmp_path / "run"), "--precision", "fp32"]) == 3
    assert "Left out: the bag 'bag0'" in capsys.readouterr().err
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("<img") == 21
    words = ["predict", data, "--head", head, "-o", str(tmp_path / "new")]
    assert main.run([*words, "--model", "builtin:florette", "--precision", "fp32"]) == 3
    rows = pq.read_table(tmp_path / "new" / "predictions.parquet").to_pylist()
    assert [row["id"] for row in rows] == [f"bag{i}" for i in range(1, 8)]
    words += ["--bag-by", r"(\d)\."]  # not the column, which is one of the head
    assert main.run([*words, "-o", str(tmp_path / "other"), "--limit", "4"]) == 3
    page = tmp_path / "run" / "report.html"
    page.unlink()
    assert main.run(["report", str(tmp_path / "run"), "--html"]) == 0
    assert page.read_text().count("<img") == 21
