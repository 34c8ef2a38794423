import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from clipfg.evaluation.reliability import measures
from clipfg.evaluation.reliability.page import reliability_context
from clipfg.evaluation.reliability.reliability import (
    CalibrationResult,
    OODResult,
    PredictionSetResult,
    Reliability,
    SelectiveResult,
)
from clipfg.evaluation.terminal import render_terminal
from clipfg.pages import render
from clipfg.types import Estimate

NAME = "<b>wren</b> [red]"


@pytest.fixture
def found() -> Reliability:
    torch.manual_seed(0)
    logits, labels = 2 * torch.randn(300, 4), torch.randint(4, (300,))
    logits[torch.arange(300), labels] += 3
    certainty, hits = measures.certainty_and_hits(logits, labels)
    area, risk = measures.risk_points(certainty, hits)
    inside = logits.softmax(1) > 0.2
    return Reliability(
        head="gda",
        learnt_from="8 shots",
        calibrated_on="split val",
        n=300,
        accuracy=float(hits.double().mean()),
        raw=measures.calibration(logits, labels),
        calibrated=CalibrationResult(0.1, 0.01),
        aurc=area,
        risk=risk,
        answering=measures.selective(0.3, certainty > 0.8, hits),
        sets=measures.prediction_sets(inside, labels, (NAME, "b", "c", "d"), 0.7, False),
        ood=OODResult("energy", 0.8, 0.7, Estimate(0.04, 0.02, 0.06)),
        guarantees=("A guarantee.",),
    )


def page_of(found: Reliability) -> str:
    return render("reliability.html", reliability=reliability_context(found))


def test_the_parts_count(found) -> None:
    torch.manual_seed(0)
    logits, labels = 2 * torch.randn(300, 4), torch.randint(4, (300,))
    logits[torch.arange(300), labels] += 3
    shares = logits.softmax(1).numpy()
    right = shares.argmax(1) == labels.numpy()
    kept = shares.max(1) > 0.8
    assert found.answering.answered.value == pytest.approx(kept.mean())
    assert found.answering.wrong.value == pytest.approx(1 - right[kept].mean())
    inside = shares > 0.2
    covered = inside[np.arange(300), labels]
    assert found.sets.coverage.value == pytest.approx(covered.mean())
    assert found.sets.mean_size == pytest.approx(inside.sum(1).mean())
    assert found.sets.single == pytest.approx((inside.sum(1) == 1).mean())
    for (_, n, share), k in zip(found.sets.by_class, range(4), strict=True):
        own = labels.numpy() == k
        assert (n, share) == (own.sum(), pytest.approx(covered[own].mean()))
    assert found.sets.lowest == min(found.sets.by_class, key=lambda row: row[2])
    shares_answered = [share for share, _ in found.risk]
    assert shares_answered == sorted(shares_answered)
    assert found.risk[-1] == (1.0, pytest.approx(1 - right.mean()))
    assert len(found.risk) == measures.POINTS


def test_it_is_shown(found) -> None:
    console = Console(width=90, file=io.StringIO())
    console.print(render_terminal(found, 90))
    text = console.file.getvalue()
    for part in (
        "error among answers",
        "≤ 30.0%",
        "mean set size",
        "A guarantee.",
        "split val",
    ):
        assert part in text
    page = page_of(found)
    assert NAME not in page
    assert "&lt;b&gt;wren&lt;/b&gt;" in page
    assert "<svg" in page
    assert "NOT met" not in text + page


def test_guarantees_that_do_not_hold_are_said_not_to(found) -> None:
    low = Estimate(0.5, 0.45, 0.55)
    bad = replace(
        found,
        answering=SelectiveResult(0.05, low, low),
        sets=replace(found.sets, level=0.99, coverage=low),
        ood=replace(found.ood, called_unknown=low),
    )
    (sentence,) = bad.unmet
    for part in (
        "50.0% of answers were wrong",
        "sets held 50.0%",
        "50.0% of images of known classes",
    ):
        assert part in sentence
    assert found.unmet == ()
    assert "NOT met" in page_of(bad)


def test_no_answers_have_no_error() -> None:
    none = measures.selective(0.1, torch.zeros(5, dtype=torch.bool), torch.ones(5) > 0)
    assert none.wrong is None
    assert none.answered.value == 0


def test_classes_with_few_images_are_not_the_lowest() -> None:
    sets = PredictionSetResult(
        0.9, False, Estimate(0.9, 0.8, 1.0), 1.0, 1.0, 0.0, (("a", 9, 0.0), ("b", 3, 1.0))
    )
    assert sets.lowest is None
