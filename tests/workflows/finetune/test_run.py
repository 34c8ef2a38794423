"""`clipfg finetune` end to end on a few drawn pictures."""

import json
import logging
import sys
from pathlib import Path

import pytest
import torch

from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.encoders import load_encoder
from clipfg.errors import ClipfgError, DataError, MissingError, UsageError
from clipfg.options import FinetuneOptions
from clipfg.types import Estimate
from clipfg.workflows.finetune.run import FinetuneRun, run_finetune
from clipfg.workflows.finetune.watching import Watcher, tensorboard
from tests.workflows.jobs import job

SMALL = {"recipe": "contrastive", "limit": 40, "precision": "fp32", "prompts": "photo"}
STEPS = ("steps=3", "batch_size=20", "checks=1")


def finetune(folder: Path, *, changes: tuple[str, ...] = (), **options) -> FinetuneRun:
    given = SMALL | {"dataset": "synthflora", "cache_dir": folder / "cache"} | options
    given["output"] = folder / "run"
    run = job(run_finetune, FinetuneOptions, set=(*STEPS, *changes), **given)
    assert run is not None
    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinetuneRun:
    logger = logging.getLogger("clipfg")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        return finetune(tmp_path_factory.mktemp("finetune"), html=True)
    finally:
        logger.setLevel(before)


def test_the_run_folder_is_whole(finished) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    files = {"config.json", "results.json", "losses.png", "validation.png", "report.html", "model"}
    assert files | {"failures.jsonl", "log.txt"} <= names
    assert not [name for name in names if name.endswith(".part")]
    assert [row["step"] for row in finished.report.losses] == [1, 2, 3]
    assert [steps for steps, _ in finished.report.checks] == [0, 3]
    assert finished.report.verdict in (finished.folder / "report.html").read_text()
    log = (finished.folder / "log.txt").read_text()
    assert "0 of 3 steps: validation Recall@1" in log
    assert "3 of 3 steps: validation Recall@1" in log
    assert not list((finished.folder.parent / "cache").rglob("*.pt"))


def test_the_checkpoint_is_a_model(finished) -> None:
    encoder = load_encoder(str(finished.model), precision="fp32", device="cpu")
    base = load_encoder("builtin:florette", precision="fp32", device="cpu")
    assert encoder.encode_texts(["a violet flower"]).shape == (1, base.dim)
    told = json.loads((finished.model / "provenance.json").read_text())
    assert told["base_fingerprint"] == base.fingerprint
    assert told["recipe"]["steps"] == 3


def test_a_tuned_encoder_is_not_lost_to_another_run(finished) -> None:
    with pytest.raises(UsageError, match=r"holds an encoder that was tuned otherwise \(recipe\)"):
        finetune(finished.folder.parent, changes=("lr=3e-5",))
    told = (finished.model / "provenance.json").read_bytes()
    assert finetune(finished.folder.parent, html=True).model == finished.model  # the same again
    assert (finished.model / "provenance.json").read_bytes() == told


def test_a_finished_run_is_shown_again(finished, capsys) -> None:
    assert main.run(["report", str(finished.folder), "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["measure"] for row in shown["table"]] == [r["measure"] for r in finished.rows()]


def test_a_run_that_diverges_fails_and_leaves_its_report(tmp_path) -> None:
    run = finetune(tmp_path, changes=("lr=1e9", "gradient_clip=1e9", "steps=4"))
    assert run.exit_code == 1
    assert "Training ended early: the loss was" in run.report.remarks[0]
    assert load_encoder(str(run.model), precision="fp32", device="cpu")


@pytest.mark.slow
def test_two_processes_give_the_same_run(finished, tmp_path) -> None:
    both = finetune(tmp_path, processes=2)
    for own, other in zip(both.report.losses, finished.report.losses, strict=True):
        assert own == pytest.approx(other, rel=1e-2)
    assert not torch.distributed.is_initialized()


def test_a_run_that_makes_it_worse_says_so_and_keeps_the_base(tmp_path) -> None:
    run = finetune(tmp_path, changes=("lr=1e9", "gradient_clip=1e9", "warmup=0"))
    assert "Training ended early: the loss was" in run.report.remarks[0]
    assert run.report.share == 0
    assert run.report.verdict.startswith(
        "Training did not surely improve validation: the base is kept"
    )
    kept, base = (load_encoder(name).model for name in (str(run.model), "builtin:florette"))
    for name, value in base.state_dict().items():
        assert kept.state_dict()[name].equal(value)
    assert all(row.kept == row.base for row in run.report.table)
    assert {row.change for row in run.report.table} == {Estimate(0.0, 0.0, 0.0)}


def test_a_full_disk_is_said_before_training(tmp_path, monkeypatch) -> None:
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("clipfg.training.state.shutil.disk_usage", lambda _: full)
    with pytest.raises(DataError, match=r"Expected \d+ MiB free in .* for a checkpoint"):
        finetune(tmp_path, limit=8)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"recipe": None}, UsageError, "Expected --distill or --recipe NAME"),
        ({"recipe": "contrastve"}, UsageError, "Did you mean 'contrastive'"),
        ({"distill": True}, UsageError, "cannot be combined"),
        ({"changes": ("lr=fast",)}, UsageError, "Expected lr to be a number"),
        ({"changes": ("losses=regions", "proposals=boxes")}, ClipfgError, "boxes|regions|captions"),
        ({}, DataError, "captions|classes"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, options, kind, message) -> None:
    """Pictures without captions, classes or boxes."""
    synthflora.export(tmp_path / "photos", 12, size=64)
    (tmp_path / "photos" / "classes.csv").unlink(missing_ok=True)
    with pytest.raises(ClipfgError, match=message) as caught:
        finetune(tmp_path, dataset=tmp_path / "photos", model="builtin:florette", **options)
    assert isinstance(caught.value, kind)


def test_tensorboard_is_an_extra(tmp_path, monkeypatch) -> None:
    for name in ("tensorboard", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingError, match=r"pip install 'clipfg\[tensorboard\]'"):
        finetune(tmp_path, tensorboard=tmp_path / "board")


def test_tensorboard_files_hold_losses_and_validation(tmp_path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with tensorboard(tmp_path) as board:
        watcher = Watcher(2, 8, "Recall@1", None, board)
        watcher.step(0, {"loss": 2.0})
        watcher.check(0.5)
    found = EventAccumulator(str(tmp_path)).Reload()
    assert [(one.step, one.value) for one in found.Scalars("loss")] == [(1, 2.0)]
    assert [(one.step, one.value) for one in found.Scalars("validation Recall@1")] == [(1, 0.5)]
