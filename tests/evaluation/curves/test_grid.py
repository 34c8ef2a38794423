import pytest

from clipfg.evaluation.curves.grid import (
    SIGNIFICANT,
    Grid,
    GridCell,
    in_seconds,
    star,
    with_reach,
)
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.types import Estimate

TOP1 = Estimate(0.5, 0.4, 0.7)
GAIN = Difference(Estimate(0.05, 0.01, 0.09), 0.02)


@pytest.fixture
def grid() -> Grid:
    cells = (
        GridCell("zero-shot", "", None, TOP1),
        GridCell("gda", "1", 1.0, TOP1, None, "2.00"),
        GridCell("gda", "all", 7.5, TOP1, None, "3.00"),
        GridCell("knn", "all", 7.5, TOP1, GAIN),
    )
    return Grid(cells, "gda", "accuracy", "shots", {"data": "birds", "seed": "3", "model": "m"})


def test_figures_with_the_reach_of_their_interval() -> None:
    assert with_reach(TOP1) == "50.0 +20.0/-10.0"
    assert with_reach(Estimate(0.952, 0.85, 1.0)) == "95.2 +4.8/-10.2"
    assert with_reach(GAIN.estimate, "+") == "+5.0 ±4.0"


def test_seconds_have_the_decimals_that_matter() -> None:
    assert [in_seconds(x) for x in (0.123, 9.99, 10.0, 123.4)] == ["0.12", "9.99", "10", "123"]


def test_a_star_marks_what_is_significant() -> None:
    limit = Difference(GAIN.estimate, SIGNIFICANT)
    assert [star(GAIN), star(limit), star(None)] == ["*", " ", " "]


def test_series_go_down_and_x_across(grid) -> None:
    assert grid.columns == ("1", "all")
    columns, rows = grid.table(lambda cell: cell.series[0] + cell.column)
    assert columns == ("1", "all")
    assert rows == [("zero-shot", "z", ""), ("gda", "g1", "gall"), ("knn", "", "kall")]


def test_series_and_columns_without_texts_are_left_out(grid) -> None:
    columns, rows = grid.table(lambda cell: "x" if cell.against else "")
    assert (columns, rows) == (("all",), [("knn", "x")])
    assert grid.table(lambda cell: "") == ((), [])


def test_the_chart_has_a_level_for_what_has_no_x(grid) -> None:
    chart = grid.chart()
    assert (chart.title, chart.x_label, chart.y_label) == ("birds · m", "shots", "accuracy")
    assert [(c.name, c.x, c.level) for c in chart.curves] == [
        ("zero-shot", (), True),
        ("gda", (1.0, 7.5), False),
        ("knn", (7.5,), False),
    ]
    assert chart.log_x
    assert chart.curves[0].estimates == (TOP1,)
