"""Which weights are kept."""

import numpy as np
import pytest
from scipy import stats

from clipfg.training.blending import Blend
from clipfg.training.loop import History
from clipfg.training.recipes import load_recipe
from clipfg.workflows.finetune.keeping import choose_share, tuning_report
from clipfg.workflows.finetune.probe import TO_IMAGE, TO_TEXT, Outcomes, gain_of


def outcomes(share: float, n: int = 100) -> Outcomes:
    return Outcomes((np.arange(n) < round(share * n)).astype(float), np.arange(n))


def point(share: float, recall: float, zero_shot: float | None) -> Blend[dict[str, Outcomes]]:
    found = {f"Recall@1, {way}": outcomes(recall) for way in (TO_TEXT, TO_IMAGE)}
    if zero_shot is not None:
        found["zero-shot, classes"] = outcomes(zero_shot)
    return Blend(share, found)


RECIPE = load_recipe("contrastive")


@pytest.mark.parametrize(
    ("curve", "kept"),
    [
        ([(0, 0.2, 0.80), (0.5, 0.4, 0.79), (1, 0.6, 0.60)], 0.5),  # 1 loses too much
        ([(0, 0.2, 0.80), (0.5, 0.4, 0.79), (1, 0.6, 0.78)], 1),
        ([(0, 0.2, 0.80), (0.5, 0.4, 0.50), (1, 0.6, 0.10)], 0),
        ([(0, 0.3, 0.80), (0.5, 0.2, 0.80), (1, 0.3, 0.80)], 0),  # no better: the base
        ([(0, 0.2, None), (0.5, 0.4, None), (1, 0.3, None)], 0.5),
    ],
)
def test_the_best_that_keeps_enough_is_kept(curve, kept) -> None:
    assert choose_share([point(*one) for one in curve], RECIPE) == (kept, "")


def test_a_gain_within_chance_keeps_the_base() -> None:
    share, doubt = choose_share([point(0, 0.30, 0.8), point(1, 0.32, 0.8)], RECIPE)
    assert share == 0
    assert doubt.startswith("The best weights are 2.0 points of Recall@1 above the base")


def test_the_interval_of_a_gain_is_that_of_a_paired_t_test_over_images() -> None:
    rng = np.random.default_rng(0)
    before, after = (rng.random((2, 3, 40)) < share for share in (0.4, 0.6))
    # one value an image one way, three the other
    base, tuned = (
        {
            f"Recall@1, {TO_TEXT}": Outcomes(one[0, 0].astype(float), np.arange(40)),
            f"Recall@1, {TO_IMAGE}": Outcomes(
                one[1].ravel().astype(float), np.tile(np.arange(40), 3)
            ),
        }
        for one in (before, after)
    )
    gain, margin = gain_of(base, tuned, "retrieval")
    each = ((after[0, 0] - 1.0 * before[0, 0]) + (after[1] - 1.0 * before[1]).mean(0)) / 2
    expected = stats.ttest_1samp(each, 0).confidence_interval(0.95)
    assert (gain - margin, gain + margin) == pytest.approx(tuple(expected))


def test_a_report_says_when_the_base_is_kept() -> None:
    points = [point(0, 0.3, 0.8), point(1, 0.1, 0.8)]
    before, after = (one.measured for one in points)
    history = History(losses=[{"loss": 1.0, "lr": 0.1, "scale": 10.0}], checks=[(0, 0.3), (1, 0.1)])
    report = tuning_report((before, after, before), points, 0.0, history, RECIPE, {}, [], 0)
    assert report.verdict.startswith("Training did not surely improve validation: the base is kept")
    row = report.rows()[0]
    assert (row["base"], row["tuned"], row["kept"], row["change"]) == (0.3, 0.1, 0.3, 0.0)
    assert row["low"] <= 0 <= row["high"]
