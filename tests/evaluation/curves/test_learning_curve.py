from io import StringIO

from rich.console import Console

from clipfg.evaluation.curves.learning_curve import LearningCurve, LearningCurveCell
from clipfg.evaluation.page import render_page
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.evaluation.terminal import render_terminal
from clipfg.types import Estimate


def make(shots: tuple[str, ...] = ("1", "all")) -> LearningCurve:
    gain = Difference(Estimate(0.05, 0.01, 0.09), 0.02)
    cells = [LearningCurveCell("zero-shot", "", 0.0, Estimate(0.3, 0.2, 0.4), (0.3,), 0.3, 0.0)]
    for name, against in (("gda", None), ("<b>+transclip", gain)):
        for count in shots:
            top1 = Estimate(0.5, 0.4, 0.7)
            marked = "+" in name
            cells.append(
                LearningCurveCell(name, count, 7.5, top1, (0.4, 0.6), 0.45, 12.3, against, marked)
            )
    return LearningCurve(100, 4, "gda", tuple(cells), "", {"data": "<i>"}, ("A remark",))


def text(curve: LearningCurve, width: int = 80) -> str:
    console = Console(width=width, record=True, file=StringIO())
    console.print(render_terminal(curve, width))
    return console.export_text()


def test_every_number_of_a_transductive_head_is_marked() -> None:
    curve = make()
    assert all(row["transductive"] == ("+" in row["head"]) for row in curve.rows())
    lines = [line for line in text(curve, 120).splitlines() if "<b>+transclip" in line]
    assert len(lines) == 3  # accuracy, differences, seconds
    assert all("(transductive)" in line for line in lines)
    assert render_page(curve).count("&lt;b&gt;+transclip (transductive)") >= 2


def test_a_terminal_shows_figures_with_their_intervals() -> None:
    assert "50.0 +20.0/-10.0" in text(make())
    assert "+5.0 ±4.0*" in text(make())
    assert "50.0 (40.0 – 70.0)" in text(make(("all",)))
    assert "A remark" in text(make())


def test_the_page_escapes_names_and_the_chart_has_a_level() -> None:
    page = render_page(make())
    assert "<b>+" not in page
    assert "<i></dd>" not in page
    chart = make().grid.chart()
    assert [curve.level for curve in chart.curves] == [True, False, False]
    assert chart.curves[1].x == (1.0, 7.5)
