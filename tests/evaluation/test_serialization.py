"""`saved/` holds results as earlier versions wrote them; they must stay readable as they are."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipfg.errors import DataError
from clipfg.evaluation.curves.budget_curve import BudgetCurve
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.reliability.reliability import Reliability
from clipfg.evaluation.report.report import METRICS, Report
from clipfg.evaluation.report.side_by_side import SideBySide
from clipfg.evaluation.results import read_result
from clipfg.evaluation.serialization import from_json, to_json

SAVED = Path(__file__).parent / "saved"
KINDS = {
    "report": Report,
    "side-by-side": SideBySide,
    "learning-curve": LearningCurve,
    "budget-curve": BudgetCurve,
}


def saved(name: str) -> dict[str, Any]:
    return json.loads((SAVED / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", KINDS)
def test_saved_results_are_read_and_written_the_same(name) -> None:
    content = saved(name)
    result = read_result(content)
    assert type(result) is KINDS[name]
    written = json.loads(json.dumps(to_json(result), allow_nan=False))
    assert written == content
    assert read_result(written) == result


def test_what_is_read_has_the_types_of_its_fields() -> None:
    report = read_result(saved("report"))
    assert isinstance(report.per_class, tuple)
    assert report.metrics["top1"].low < report.metrics["top1"].value
    assert report.severity.mean.value == pytest.approx(saved("report")["severity"]["mean"]["value"])
    curve = read_result(saved("learning-curve"))
    assert curve.cells[2].against.estimate.high == 0.09
    assert curve.cells[2].transductive
    assert isinstance(curve.reliability, Reliability)
    assert isinstance(curve.reliability.risk[0], tuple)
    assert curve.reliability.sets.lowest[0] in "abcd"


def test_the_keys_of_a_report_are_stable() -> None:
    content = to_json(read_result(saved("report")))
    assert list(content) == [
        "schema", "n", "classes", "metrics", "chance", "majority", "per_class", "confusions",
        "by_domain", "by_level", "unlabelled", "context", "transductive", "remarks", "severity",
        "rolled_up", "absent",
    ]  # fmt: skip
    assert list(content["metrics"]) == list(METRICS)
    assert list(content["metrics"]["top1"]) == ["value", "low", "high"]
    row = ["name", "n", "accuracy", "top5", "precision", "f1"]
    assert list(content["per_class"][0]) == row
    assert list(content["confusions"][0]) == ["true", "predicted", "count", "share", "ancestor"]


def test_a_curve_begins_with_its_kind_and_schema() -> None:
    for name in ("learning-curve", "budget-curve"):
        content = to_json(read_result(saved(name)))
        assert list(content)[:2] == ["kind", "schema"]
        assert (content["kind"], content["schema"]) == (name, 1)


def test_reports_written_before_later_fields_existed_are_read() -> None:
    content = saved("report")
    for key in ("transductive", "remarks", "severity", "rolled_up", "absent"):
        del content[key]
    for row in content["by_level"]:
        del row["name"]
    report = read_result(saved("report"))
    levels = tuple(replace(row, name="") for row in report.by_level)
    expected = replace(report, remarks=(), severity=None, rolled_up=None, by_level=levels)
    assert read_result(content) == expected


def test_reliability_of_before_says_nothing_of_chance() -> None:
    content = saved("learning-curve")["reliability"]
    del content["unmet"], content["answering"]["most"], content["ood"]["most"]
    del content["sets"]["guaranteed"], content["sets"]["least"]
    found = from_json(Reliability, content)
    assert found.unmet == ()
    assert (
        found.sets.coverage
        == from_json(Reliability, saved("learning-curve")["reliability"]).sets.coverage
    )


def test_a_curve_without_reliability_is_read() -> None:
    content = saved("learning-curve")
    del content["reliability"]
    assert read_result(content) == replace(read_result(saved("learning-curve")), reliability=None)


def test_unknown_keys_are_ignored() -> None:
    content = saved("side-by-side")
    assert read_result(content | {"excluded": 3}) == read_result(content)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("report", {"schema": 2}, "report of schema 1, got schema 2"),
        ("report", {"metrics": {}}, "no estimate of ece, macro_f1"),
        ("report", {"per_class": [{"name": "x"}]}, r"damaged at 'per_class\.0\.n'"),
        ("report", {"by_level": [{}]}, "damaged at 'by_level"),
        ("report", {"n": "many"}, "damaged at 'n'"),
        ("learning-curve", {"schema": 0}, "Expected a learning curve of schema 1, got kind"),
        ("learning-curve", {"cells": [{"against": 0}]}, "Expected a complete learning curve"),
        ("budget-curve", {"kind": "curve"}, "Expected a report of schema 1|complete report"),
        ("budget-curve", {"schema": 9}, "Expected a budget curve of schema 1"),
        ("budget-curve", {"cells": 3}, "damaged at 'cells'"),
        ("side-by-side", {"reports": [1]}, "damaged at 'reports'"),
        ("side-by-side", {"comparison": {"two": {}}}, r"damaged at 'comparison\.two"),
    ],
)
def test_other_content_is_refused_in_one_sentence(name, change, message) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_result(saved(name) | change)
    assert str(caught.value).startswith("Expected a ")
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", KINDS)
def test_missing_fields_are_refused(name) -> None:
    required = {
        "report": ("schema", "n", "metrics", "by_domain", "by_level", "unlabelled", "context"),
        "side-by-side": ("schema", "comparison"),
        "learning-curve": ("schema", "n", "first", "cells"),
        "budget-curve": ("schema", "n", "first", "cells"),
    }
    for key in required[name]:
        content = saved(name)
        del content[key]
        with pytest.raises(DataError, match="Expected a"):
            read_result(content)


@pytest.mark.parametrize("content", [None, [], 3, "text", {}, {"kind": ["unhashable"]}])
def test_no_result_at_all_is_refused(content) -> None:
    with pytest.raises(DataError, match="it is something else or"):
        read_result(content)


def test_reliability_alone() -> None:
    content = saved("learning-curve")["reliability"]
    assert to_json(from_json(Reliability, content)) == content
    with pytest.raises(DataError, match="complete reliability"):
        from_json(Reliability, {"head": "gda"})
