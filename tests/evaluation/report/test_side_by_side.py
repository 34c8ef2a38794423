import json

import pytest
import torch

from clipfg.evaluation import Evaluator, Report
from clipfg.evaluation.report.side_by_side import side_by_side
from clipfg.evaluation.statistics.paired import compare
from clipfg.types import ClassList


def evaluated(seed: int) -> Evaluator:
    generator = torch.Generator().manual_seed(seed)
    evaluator = Evaluator(ClassList(("a", "b", "c")), resamples=50)
    evaluator.update(torch.randn(60, 3, generator=generator), [0, 1, 2] * 20)
    return evaluator


def test_each_is_compared_with_the_first_item_by_item() -> None:
    evaluators = {"x": evaluated(0), "y": evaluated(1), "z": evaluated(2)}
    reports = {name: own.report() for name, own in evaluators.items()}
    hits = [own.outcomes.hits for own in evaluators.values()]
    both = side_by_side(reports, hits, seed=3)
    assert both.against_first == {
        "y": compare(hits[0], hits[1], 3),
        "z": compare(hits[0], hits[2], 3),
    }
    rows = both.rows()
    assert [row["name"] for row in rows] == ["x", "y", "z"]
    assert rows[0]["difference"] is rows[0]["p_value"] is None
    gain = reports["z"].metrics["top1"].value - reports["x"].metrics["top1"].value
    assert rows[2]["difference"] == pytest.approx(gain)
    assert "against x on the same images" in both.reports["y"].remarks[0]
    shown = both.shown()
    assert shown[0]["against the first"] == shown[0]["p"] == ""
    assert shown[2]["against the first"].startswith(f"{100 * gain:+.1f} points (")
    content = json.loads(json.dumps(both.to_json(), allow_nan=False))
    assert Report.from_json(content["reports"]["y"]) == both.reports["y"]
