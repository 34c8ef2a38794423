import pytest

from clipfg.errors import DataError
from clipfg.evaluation.curves.cells import (
    difference_cells,
    difference_columns,
    in_percent,
    reading,
    star,
)
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.types import Estimate

GAIN = Difference(Estimate(0.05, 0.01, 0.09), 0.02)


def test_a_difference_as_columns_and_as_cells() -> None:
    assert list(difference_columns(GAIN).values()) == [0.05, 0.01, 0.09, 0.02]
    assert set(difference_columns(None).values()) == {None}
    points, p_value = difference_cells(GAIN)
    assert "+5.0 (+1.0 to +9.0)" in points
    assert ">0.02<" in p_value
    assert all("><" in cell for cell in difference_cells(None))


def test_figures_with_half_their_interval() -> None:
    assert in_percent(Estimate(0.5, 0.4, 0.7)) == "50.0 ±15.0"
    assert in_percent(GAIN.estimate, "+") == "+5.0 ±4.0"
    assert [star(GAIN), star(Difference(GAIN.estimate, 0.05)), star(None)] == ["*", " ", " "]


def test_another_kind_is_refused_and_a_lack_is_named() -> None:
    with (
        pytest.raises(DataError, match="Expected a curve of schema 1, got 'page' of 1"),
        reading({"kind": "page", "schema": 1}, "curve", 1),
    ):
        pass
    content = {"kind": "curve", "schema": 1}
    with pytest.raises(DataError, match="lacks 'cells'"), reading(content, "curve", 1):
        content["cells"]
