from pathlib import Path

import pytest
import torch
from PIL import Image

from clipfg.cli import main
from clipfg.evaluation.predictions import PredictionWriter
from clipfg.types import ClassList
from clipfg.workflows.mistakes import surest_mistakes


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Four images, of which one is right, two are wrong, and one is wrong and gone."""
    for name in "abc":
        Image.new("RGB", (40, 30), "red").save(tmp_path / f"{name}.png")
    logits = torch.tensor([[5.0, 0.0], [0.0, 1.0], [0.0, 3.0], [0.0, 2.0]])
    uris = [str(tmp_path / f"{name}.png") for name in "abcd"]
    path = tmp_path / "predictions.parquet"
    with PredictionWriter(path, ClassList(("rose", "lily"))) as writer:
        writer.write(list("abcd"), uris, logits, [0, 0, 0, 0])
    return path


def test_the_surest_come_first_and_what_is_gone_is_left_out(predictions: Path) -> None:
    mistakes = surest_mistakes(predictions)
    shares = torch.tensor([3.0, 1.0]).sigmoid().tolist()
    expected = [("lily", (f"{share:.0%}", "label: rose"), "bad") for share in shares]
    assert [(m.title, m.lines, m.tone) for m in mistakes] == expected
    assert len(surest_mistakes(predictions, most=1)) == 1


def test_a_run_without_predictions_has_no_images(tmp_path: Path) -> None:
    assert surest_mistakes(tmp_path / "predictions.parquet") == []


def test_the_page_shows_them_now_and_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["zeroshot", "--dataset", "synthflora", "--limit", "40", "--precision", "fp32"]
    assert main.run([*command, "--html", "-o", "run"]) == 0
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert 0 < page.count('<figure class="bad">') <= 24
    assert 'class="good"' not in page
    assert main.run(["report", "run", "--html", "--format", "json"]) == 0
    assert Path("run/report.html").read_text(encoding="utf-8") == page
