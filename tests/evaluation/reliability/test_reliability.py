import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from clipfg.errors import DataError
from clipfg.evaluation.reliability import reliability
from clipfg.evaluation.reliability.page import sections
from clipfg.evaluation.reliability.reliability import (
    CalibrationResult,
    OODResult,
    PredictionSetResult,
    Reliability,
    SelectiveResult,
)
from clipfg.types import Estimate

NAME = "<b>wren</b> [red]"


@pytest.fixture
def found() -> Reliability:
    torch.manual_seed(0)
    logits, labels = 2 * torch.randn(300, 4), torch.randint(4, (300,))
    logits[torch.arange(300), labels] += 3
    certainty, hits = reliability.certainty_and_hits(logits, labels)
    area, risk = reliability.risk_points(certainty, hits)
    inside = logits.softmax(1) > 0.2
    return Reliability(
        head="gda",
        learnt_from="8 shots",
        calibrated_on="split val",
        n=300,
        accuracy=float(hits.double().mean()),
        raw=reliability.probabilities(logits, labels),
        calibrated=CalibrationResult(0.1, 0.01),
        aurc=area,
        risk=risk,
        answering=reliability.answering(0.3, certainty > 0.8, hits),
        sets=reliability.sets_of(inside, labels, (NAME, "b", "c", "d"), 0.7, False),
        ood=OODResult("energy", 0.8, 0.7, Estimate(0.04, 0.02, 0.06)),
        guarantees=("A guarantee.",),
    )


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
    assert len(found.risk) == reliability.POINTS


def test_json_and_back(found) -> None:
    bare = replace(found, answering=None, sets=None, ood=None)
    for each in (found, bare):
        assert Reliability.from_json(json.loads(json.dumps(each.to_json()))) == each
    with pytest.raises(DataError, match="whole record"):
        Reliability.from_json({"head": "gda"})


def test_it_is_shown(found) -> None:
    console = Console(width=90, file=io.StringIO())
    console.print(found)
    text = console.file.getvalue().replace("\N{NO-BREAK SPACE}", " ")
    for part in (
        "wrong among answered",
        "≤ 30.0 %",
        "classes in a set",
        "A guarantee.",
        "split val",
    ):
        assert part in text
    page = "".join(sections(found))
    assert NAME not in page
    assert "&lt;b&gt;wren&lt;/b&gt;" in page
    assert "<svg" in page
    assert "BROKEN" not in text + page


def test_broken_promises_are_called_so(found) -> None:
    low = Estimate(0.5, 0.45, 0.55)
    bad = replace(
        found,
        answering=SelectiveResult(0.05, low, low),
        sets=replace(found.sets, level=0.99, coverage=low),
        ood=replace(found.ood, called_unknown=low),
    )
    (sentence,) = bad.broken
    for part in ("50.0% of answers were wrong", "sets held 50.0%", "50.0% were called unknown"):
        assert part in sentence
    assert found.broken == ()
    assert "BROKEN" in "".join(sections(bad))


def test_no_answers_have_no_error() -> None:
    none = reliability.answering(0.1, torch.zeros(5, dtype=torch.bool), torch.ones(5) > 0)
    assert none.wrong is None
    assert none.answered.value == 0


def test_classes_with_few_images_are_not_the_lowest() -> None:
    sets = PredictionSetResult(
        0.9, False, Estimate(0.9, 0.8, 1.0), 1.0, 1.0, 0.0, (("a", 9, 0.0), ("b", 3, 1.0))
    )
    assert sets.lowest is None
