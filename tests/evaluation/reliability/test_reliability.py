import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console
from scipy import stats

from clipfg.evaluation.reliability import measures
from clipfg.evaluation.reliability.page import reliability_context
from clipfg.evaluation.reliability.reliability import (
    CalibrationResult,
    OODResult,
    PredictionSetResult,
    Reliability,
    SelectiveResult,
)
from clipfg.evaluation.serialization import from_json, to_json
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.evaluation.statistics.tolerance import CHANCE, least_coverage, most_errors
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
        sets=measures.prediction_sets(
            inside, labels, (NAME, "b", "c", "d"), 0.7, False, torch.full((4,), 50)
        ),
        ood=OODResult("energy", 0.8, 0.7, Estimate(0.04, 0.02, 0.06), 0.08),
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
        answering=SelectiveResult(0.05, low, low, 0.1),
        sets=replace(found.sets, level=0.99, guaranteed=0.5, least=0.9),
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
    assert to_json(bad)["unmet"] == [sentence]
    assert from_json(Reliability, to_json(bad)) == bad


@pytest.mark.parametrize("calibrated", [100, 1000])
def test_a_guarantee_that_holds_is_rarely_called_broken(calibrated) -> None:
    """Split conformal prediction on uniform scores, its promise of 0.9 kept on average."""
    rng, alone, called, missed = np.random.default_rng(0), 0, 0, 0
    rank = math.ceil(0.9 * (calibrated + 1))
    for _ in range(400):
        threshold = np.sort(rng.random(calibrated))[rank - 1]
        least = least_coverage(0.9, [calibrated], [3000])
        covered = (rng.random(3000) <= threshold).mean()
        called += covered < least
        alone += proportion(round(3000 * covered), 3000).high < 0.9
        missed += (rng.random(3000) <= threshold - 0.08).mean() >= least
    assert called / 400 < CHANCE + 3 * math.sqrt(CHANCE / 400)
    assert alone > 3 * called
    assert missed / 400 < (0.5 if calibrated == 100 else 0.01)


def test_within_classes_only_those_with_a_guarantee_are_judged() -> None:
    """Class a holds what it was promised; b, calibrated on too few, was promised nothing."""
    labels = torch.tensor([0] * 100 + [1] * 100)
    inside = torch.zeros(200, 2, dtype=torch.bool)
    inside[:90, 0] = True
    found = measures.prediction_sets(inside, labels, ("a", "b"), 0.9, True, torch.tensor([50, 3]))
    assert (found.coverage.value, found.guaranteed) == (0.45, 0.9)
    assert found.guaranteed >= found.least > 0.7
    shared = measures.prediction_sets(inside, labels, ("a", "b"), 0.9, False, torch.tensor([50, 3]))
    assert shared.guaranteed == 0.45 < shared.least


def test_several_groups_are_the_sum_of_their_beta_binomials() -> None:
    found = least_coverage(0.8, [20, 40], [30, 15])
    pmf = np.convolve(
        stats.betabinom.pmf(np.arange(31), 30, 17, 4), stats.betabinom.pmf(np.arange(16), 15, 33, 8)
    )
    exact = np.searchsorted(pmf.cumsum(), CHANCE) / 45
    assert found == pytest.approx(exact, abs=1.5 / 45)
    assert least_coverage(0.8, [], []) == 0


@pytest.mark.parametrize(("answered", "target"), [(40, 0.05), (500, 0.3)])
def test_errors_beyond_chance(answered, target) -> None:
    most = round(most_errors(target, answered) * answered)
    assert (
        stats.binom.sf(most, answered, target)
        <= CHANCE
        < stats.binom.sf(most - 1, answered, target)
    )
    assert most_errors(target, 0) == 1


def test_no_answers_have_no_error() -> None:
    none = measures.selective(0.1, torch.zeros(5, dtype=torch.bool), torch.ones(5) > 0)
    assert none.wrong is None
    assert none.answered.value == 0


def test_classes_with_few_images_are_not_the_lowest() -> None:
    sets = PredictionSetResult(
        0.9, False, Estimate(0.9, 0.8, 1.0), 1.0, 1.0, 0.0, (("a", 9, 0.0), ("b", 3, 1.0)), 0.9, 0.8
    )
    assert sets.lowest is None
