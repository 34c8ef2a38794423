import io
import json
from dataclasses import replace

import pytest
import torch
from rich.console import Console

from clipfg.evaluation import Evaluator
from clipfg.evaluation.report.side_by_side import side_by_side
from clipfg.evaluation.results import read_result
from clipfg.evaluation.serialization import to_json
from clipfg.evaluation.statistics.paired import compare
from clipfg.evaluation.terminal import render_terminal
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
    both = side_by_side(reports, hits)
    assert both.against_first == {
        "y": compare(hits[0], hits[1]),
        "z": compare(hits[0], hits[2]),
    }
    rows = both.rows()
    assert [row["name"] for row in rows] == ["x", "y", "z"]
    assert rows[0]["difference"] is rows[0]["p_value"] is None
    gain = reports["z"].metrics["top1"].value - reports["x"].metrics["top1"].value
    assert rows[2]["difference"] == pytest.approx(gain)
    assert "against x on the same images" in both.reports["y"].remarks[0]
    content = json.loads(json.dumps(to_json(both), allow_nan=False))
    assert read_result(content) == both
    assert read_result(content["reports"]["y"]) == both.reports["y"]


def test_a_terminal_shows_each_against_the_first() -> None:
    first, second = evaluated(0), evaluated(1)
    reports = {
        "x": first.report(),
        "y [red]": replace(second.report(), transductive="tda"),
    }
    both = side_by_side(reports, [first.outcomes.hits, second.outcomes.hits])
    console = Console(width=100, file=io.StringIO())
    console.print(render_terminal(both, 100))
    _, upper, lower = (line.rstrip() for line in console.file.getvalue().rstrip().splitlines())
    top1, paired = reports["x"].metrics["top1"], both.against_first["y [red]"]
    low, value, high = (100 * x for x in (top1.low, top1.value, top1.high))
    assert upper.split() == ["x", f"{value:.1f}%", f"({low:.1f}", "–", f"{high:.1f})", "33.3%"]
    assert lower.startswith("y [red] (transductive)")
    gain = paired.difference
    assert f" {100 * gain.value:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}) " in lower
    assert lower.endswith(f" {paired.p_value:.2g}")
