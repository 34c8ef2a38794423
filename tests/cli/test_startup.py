"""Short runs import what they use: where all is cached, torch and its friends are not of it."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from numpy.testing import assert_allclose

from clipfg.cli import main
from clipfg.confidence import Confidence
from clipfg.data import synthflora
from clipfg.encoders import load_encoder
from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS, save_head
from clipfg.heads.support import Support
from clipfg.types import ClassList
from clipfg.workflows import classifier, predict
from clipfg.workflows.zeroshot import evaluation

MODEL = ["--model", "builtin:florette"]
HEAVY = {"torch", "transformers", "open_clip", "pandas", "scipy", "sklearn", "PIL", "jaxtyping"}
TORCH = HEAVY - {"PIL", "jaxtyping"}
RUN = """
import sys
from clipfg.cli import main
assert main.run(sys.argv[2:]) == 0
with open(sys.argv[1], "w") as file:
    print(*sys.modules, file=file)
"""


@pytest.fixture
def photos(tmp_path: Path, settled: None) -> Path:
    synthflora.export(tmp_path / "photos", n=3, size=96)
    return tmp_path / "photos"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("red rose\nwhite lily\nblue iris\n")
    return path


@pytest.fixture
def head(tmp_path: Path) -> Path:
    """A calibrated head for three classes, on features of the built-in model in bf16."""
    encoder = load_encoder("builtin:florette", precision="bf16")
    labels = torch.arange(24) % 3
    features = unit_norm(torch.eye(3, encoder.dim)[labels] + 0.1 * torch.randn(24, encoder.dim))
    made = HEADS.get("auto")().fit(features, labels)
    known = Confidence.fit(made, Support.of("auto", features, labels, None)).to_fields()
    path = tmp_path / "head.safetensors"
    names = ClassList(("rose", "lily", "iris"))
    made_by = (encoder.fingerprint, encoder.name, "bf16")
    save_head(path, made, names, *made_by, extras={"confidence": known})
    return path


def run(*arguments: object) -> int:
    return main.run([*map(str, arguments), "-q"])


def imported(tmp_path: Path, *arguments: object) -> set[str]:
    """The modules of a process that ran a command, which had run before."""
    assert run(*arguments) == 0
    return loaded(tmp_path, *arguments)


def loaded(tmp_path: Path, *arguments: object) -> set[str]:
    """The modules of a process that runs a command."""
    found = tmp_path / "modules"
    command = [sys.executable, "-c", RUN, found, *arguments, "-q"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in found.read_text().split()}


def test_a_cached_prediction_imports_nothing_heavy(
    photos: Path, names: Path, head: Path, tmp_path: Path
) -> None:
    photo = next(photos.iterdir())
    for given in (["--classes", names, *MODEL], ["--head", head]):
        found = imported(tmp_path, "predict", photo, *given, "--output", tmp_path / "run")
        assert "pyarrow" in found
        assert not found & (HEAVY | {"faiss"})


def test_other_cached_runs_import_nothing_heavy(photos: Path, tmp_path: Path) -> None:
    store = ["--store", tmp_path / "store"]
    assert run("index", "build", photos, *store, *MODEL) == 0
    for query in ("red rose", next(photos.iterdir())):
        assert not imported(tmp_path, "retrieve", query, *store) & HEAVY
    assert not imported(tmp_path, "embed", photos, *MODEL, "-o", tmp_path / "x.npz") & TORCH


def test_a_known_image_at_a_new_place_imports_no_torch(
    photos: Path, names: Path, tmp_path: Path
) -> None:
    given = ["predict", photos, "--classes", names, *MODEL, "--output"]
    assert run(*given, tmp_path / "one") == 0
    photos.rename(tmp_path / "moved")
    given[1] = tmp_path / "moved"
    assert not loaded(tmp_path, *given, tmp_path / "two") & TORCH
    own, known = (pq.read_table(tmp_path / n / "predictions.parquet") for n in ("two", "one"))
    assert own["probabilities"] == known["probabilities"]


@pytest.mark.parametrize("data", ["synthflora", "synthflora-captions"])
def test_cached_accuracy_imports_no_torch(data: str, tmp_path: Path) -> None:
    given = ["zeroshot", data, "--limit", "8", "--format", "table", "--output", tmp_path / "run"]
    assert not imported(tmp_path, *given) & TORCH


@pytest.mark.parametrize("ensemble", ["mean", "score-mean"])
def test_accuracy_is_that_of_torch(ensemble: str, tmp_path: Path, monkeypatch) -> None:
    given = ["zeroshot", "synthflora", "--limit", "60", "--ensemble", ensemble, "--output"]
    assert run(*given, tmp_path / "arrays") == 0
    monkeypatch.setattr(evaluation, "array_zero_shot", evaluation.zero_shot)
    assert run(*given, tmp_path / "tensors") == 0
    own, known = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("arrays", "tensors")
    )
    own_metrics, known_metrics = own.pop("metrics"), known.pop("metrics")
    for name, estimate in known_metrics.items():
        assert own_metrics[name] == pytest.approx(estimate, rel=1e-5)
    assert own == known


def test_what_is_not_cached_is_embedded(photos: Path, names: Path, tmp_path: Path) -> None:
    given = ["predict", "--classes", names, *MODEL]
    first, second, _ = photos.iterdir()
    assert run(*given, first, "--output", tmp_path / "one") == 0
    assert run(*given, first, second, "--output", tmp_path / "two") == 0
    assert json.loads((tmp_path / "two" / "results.json").read_text())["images"] == 2


@pytest.mark.parametrize("calibrated", [False, True])
def test_answers_are_those_of_torch(
    calibrated: bool, photos: Path, names: Path, tmp_path: Path, request, monkeypatch
) -> None:
    given = ["--classes", names, *MODEL]
    if calibrated:
        given = ["--head", request.getfixturevalue("head")]
    assert run("predict", photos, *given, "--output", tmp_path / "arrays") == 0
    for module in (classifier, predict):
        monkeypatch.setattr(module, "is_plain", lambda _: False)
    assert run("predict", photos, *given, "--output", tmp_path / "tensors") == 0
    own, known = (
        pq.read_table(tmp_path / name / "predictions.parquet") for name in ("arrays", "tensors")
    )
    assert own.drop(["probability", "probabilities"]) == known.drop(
        ["probability", "probabilities"]
    )
    for one, other in zip(own["probabilities"], known["probabilities"], strict=True):
        assert_allclose(one.as_py(), other.as_py(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("command", ["predict", "index", "nonsense", "--version"])
def test_a_command_line_imports_its_own_command(command: str) -> None:
    code = """
import sys
from clipfg.cli import main
main.run(sys.argv[1:])
print(*(name for name in main.COMMANDS if f"clipfg.cli.{name}" in sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, command], capture_output=True, text=True, check=True
    )
    found = set(done.stdout.split("\n")[-2].split())
    assert found == ({command} if command in main.COMMANDS else set(main.COMMANDS))
