"""Choosing, comparing and refining: on features in a file, so that labels can be tampered with."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.embedding.feature_files import read_features, write_features
from clipfg.errors import UsageError
from clipfg.options import ZeroshotOptions
from clipfg.types import UNLABELLED, Features
from clipfg.workflows.zeroshot import pooled
from clipfg.workflows.zeroshot.run import run_zeroshot
from tests.workflows.jobs import job

N = 90


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of drawn flowers by the built-in model."""
    home = tmp_path_factory.mktemp("features")
    path = home / "features.parquet"
    command = ["embed", "synthflora", "--split", "test", "--limit", str(N), "--precision", "fp32"]
    cached = ["--model", "builtin:florette", "--cache-dir", str(home / "cache")]
    assert main.run([*command, *cached, "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def cache_dir(file: Path) -> Path:
    return file.parent / "cache"


def run(file: Path, cache_dir: Path, output: Path, **options):
    return job(
        run_zeroshot,
        ZeroshotOptions,
        dataset=f"features:{file}",
        model="builtin:florette",
        precision="fp32",
        cache_dir=cache_dir,
        output=output,
        **options,
    )


def relabelled(file: Path, path: Path, labels: np.ndarray) -> Path:
    features = read_features(file)
    tampered = Features(
        features.ids,
        features.pooled,
        labels,
        features.classes or synthflora.classes(),
        features.fingerprint,
    )
    write_features(tampered, path)
    return path


METHODS = [
    {"prompts": "auto,photo,general,name"},
    {"prompts": "photo", "ensemble": "waffle+weighted"},
    {"prompts": "photo", "transductive": "transclip"},
    {"prompts": "photo", "transductive": "label-propagation"},
    {"prompts": "photo", "transductive": "tda"},
]


@pytest.mark.parametrize("options", METHODS, ids=str)
def test_no_label_free_method_reads_a_label(file, cache_dir, tmp_path, options) -> None:
    labels = read_features(file).labels
    deleted = np.full_like(labels, UNLABELLED)
    deleted[0] = labels[0]  # zeroshot asks for one image to measure on
    columns, chosen = [], []
    for name, own in (("right", labels), ("wrong", labels[::-1].copy()), ("none", deleted)):
        tampered = relabelled(file, tmp_path / f"{name}.parquet", own)
        done = run(tampered, cache_dir, tmp_path / name, **options)
        rows = pq.read_table(tmp_path / name / "predictions.parquet")
        columns.append(rows.select(["id", "prediction", "probability", "names"]))
        chosen.append(done.report.context["prompts"])
        assert done.report.transductive
        few = any("transclip estimates 200 classes from" in one for one in done.report.remarks)
        assert few == (options.get("transductive") == "transclip")
    assert columns[0].equals(columns[1])
    assert columns[0].equals(columns[2])
    assert len(set(chosen)) == 1


def test_sets_are_compared_on_one_embedding(file, cache_dir, tmp_path, capsys) -> None:
    command = ["zeroshot", "--dataset", f"features:{file}", "--model", "builtin:florette"]
    classes = tmp_path / "names.txt"
    classes.write_text("\n".join(synthflora.classes().names))
    more = ["--precision", "fp32", "--cache-dir", str(cache_dir), "--classes", str(classes)]
    sets = ["--prompts", "photo, name,photo+name", "--html", "-o", str(tmp_path / "run")]
    assert main.run([*command, *more, *sets, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == ["photo", "name", "photo+name"]
    content = json.loads((tmp_path / "run" / "results.json").read_text())
    hits = {}
    for name in ("photo", "name", "photo+name"):
        table = pq.read_table(tmp_path / "run" / f"predictions-{name}.parquet")
        hits[name] = np.array(table["correct"].to_pylist())
        top1 = content["reports"][name]["metrics"]["top1"]["value"]
        assert hits[name].mean() == pytest.approx(top1)
        page = (tmp_path / "run" / f"report-{name}.html").read_text()
        assert ("against photo on the same images" in page) == (name != "photo")
    paired = content["comparison"]["name"]
    assert paired["only_first"] == (hits["photo"] & ~hits["name"]).sum()
    assert paired["only_second"] == (~hits["photo"] & hits["name"]).sum()
    alone = run(file, cache_dir, tmp_path / "alone", prompts="name", classes=classes)
    assert alone.report.metrics["top1"].value == rows[1]["top1"]
    assert main.run(["report", str(tmp_path / "run"), "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_auto_takes_the_best_by_its_criterion_and_says_so(
    file, cache_dir, tmp_path, monkeypatch, caplog
) -> None:
    liked = iter([0.1, 0.9, 0.5])
    monkeypatch.setitem(pooled.CRITERIA, pooled.CHOSEN, lambda *_: next(liked))
    options = {"prompts": "auto,photo,general,name"}
    labelled = relabelled(file, tmp_path / "x.parquet", read_features(file).labels)
    with caplog.at_level("INFO", logger="clipfg"):
        done = run(labelled, cache_dir, tmp_path / "run", **options)
    assert done.report.context["prompts"] == "general"
    assert "general 0.900" in done.report.remarks[-1]
    assert done.report.transductive.startswith("prompts chosen by")
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "Chose prompts 'general' without labels" in log


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": "photo,photo"}, "Prompt set 'photo' is listed twice"),
        ({"prompts": "photo,photos"}, "Did you mean 'photo'"),
        ({"ensemble": "score-means"}, "Did you mean 'score-mean'"),
        ({"transductive": "transklip"}, "Did you mean 'transclip'"),
    ],
)
def test_misspelt_options_cost_nothing(file, cache_dir, tmp_path, options, message) -> None:
    labelled = relabelled(file, tmp_path / "x.parquet", read_features(file).labels)
    with pytest.raises(UsageError, match=message):
        run(labelled, cache_dir, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("prompts", ["auto", "photo,name"])
def test_predict_takes_one_set(tmp_path, prompts, capsys) -> None:
    (tmp_path / "names.txt").write_text("rose\nlily\n")
    (tmp_path / "a.png").write_bytes(b"")
    names = ["--classes", str(tmp_path / "names.txt"), "--model", "builtin:florette"]
    command = ["predict", str(tmp_path / "a.png"), *names, "-o", str(tmp_path / "run")]
    assert main.run([*command, "--prompts", prompts]) == 2
    assert "clipfg zeroshot" in capsys.readouterr().err
    assert main.run([*command, "--ensemble", "weighted"]) == 2
