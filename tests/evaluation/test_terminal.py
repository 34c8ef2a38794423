"""Every result in terminals of 80 and 60 columns, with names of 60 letters."""

import io
import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from rich.console import Console

from clipfg.evaluation import Evaluator
from clipfg.evaluation.curves.budget_curve import BudgetCell, BudgetCurve
from clipfg.evaluation.curves.grid import Grid, GridCell
from clipfg.evaluation.curves.learning_curve import LearningCurve, LearningCurveCell
from clipfg.evaluation.reliability.reliability import (
    CalibrationResult,
    PredictionSetResult,
    Reliability,
)
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.side_by_side import SideBySide, side_by_side
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.evaluation.terminal import Result, render_terminal
from clipfg.types import ClassList, Estimate

WORDS = "a bird of the northern mountains with a name in {:2} words".format
FILE = "photos_2023_of_a_long_folder_name_without_a_space_in_it_{:04}".format
NAMES = tuple((WORDS if i % 2 else FILE)(i) for i in range(8))
TOP1 = Estimate(0.1234, 0.0567, 0.1891)
GAIN = Difference(Estimate(-0.1234, -0.2345, -0.0123), 0.00012)


def report() -> Report:
    torch.manual_seed(0)
    evaluator = Evaluator(ClassList(NAMES, dict.fromkeys(NAMES[:4], FILE(99))), resamples=50)
    labels = torch.arange(800) % 8
    evaluator.update(torch.randn(800, 8), labels, [NAMES[i % 3] for i in range(800)])
    return evaluator.report({"data": "/photos/" + FILE(1), "model": FILE(2)})


def compared() -> SideBySide:
    hits = np.arange(800) % 3 == 0
    return side_by_side({NAMES[0]: report(), NAMES[1]: report()}, [hits, ~hits])


def learning_curve() -> LearningCurve:
    cells = tuple(
        LearningCurveCell(name, shots, 1.0, TOP1, (0.1, 0.2), 0.1, 1234.5, GAIN)
        for name in NAMES[:3]
        for shots in ("1", "2", "4", "8", "16", "all")
    )
    return LearningCurve(100, 8, NAMES[0], cells, context={"data": FILE(3)})


def budget_curve() -> BudgetCurve:
    cells = tuple(
        BudgetCell(name, keys, 9.0, TOP1, (0.1,), 123.4, GAIN)
        for name in NAMES[:3]
        for keys in (1, 5, 10, 50, 100)
    )
    return BudgetCurve(100, 8, NAMES[0], cells)


def grid() -> Grid:
    cells = [
        GridCell(n, str(x), float(x), TOP1, GAIN) for n in NAMES[:3] for x in (20, 40, 80, 160)
    ]
    return Grid(tuple(cells), NAMES[0], "accuracy", "labels", {})


def reliability() -> Reliability:
    scaled = CalibrationResult(1.234, 0.056)
    sets = PredictionSetResult(0.9, True, TOP1, 1.5, 0.5, 0.1, ((NAMES[0], 30, 0.1),), 0.5, 0.4)
    return Reliability(NAMES[0], FILE(1), FILE(2), 99, 0.9, scaled, scaled, 0.1, (), sets=sets)


def shown(result: Result, width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(render_terminal(result, width))
    return console.file.getvalue()


def numbers(text: str) -> list[str]:
    return re.findall(r"[+-]?\d[\d,]*\.\d+%?\*?", text)


@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize(
    "make", [report, compared, learning_curve, budget_curve, grid, reliability]
)
def test_numbers_are_whole_and_no_line_is_too_wide(make: Callable[[], Result], width: int) -> None:
    result = make()
    text, wide = shown(result, width), shown(result, 400)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    # All numbers of a wide terminal; a narrow one leaves some columns of a report out.
    if width == 80 or not isinstance(result, Report):
        assert not Counter(numbers(wide)) - Counter(numbers(text))
    assert set(numbers(text)) <= set(numbers(wide))


@pytest.mark.parametrize("width", [80, 60])
def test_names_are_there_from_the_first_to_the_last_letter(width: int) -> None:
    for result in (compared(), learning_curve(), budget_curve(), grid()):
        text = shown(result, width)
        for name in NAMES[:2]:
            words = name.split() if " " in name else [name[:12], name[-3:]]
            assert all(word in text for word in words)
