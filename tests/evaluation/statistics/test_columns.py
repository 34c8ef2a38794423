from clipfg.evaluation.statistics.columns import accuracy_columns, difference_columns
from clipfg.evaluation.statistics.paired import PairedComparison
from clipfg.evaluation.statistics.repeated import Difference
from clipfg.types import Estimate

GAIN = Estimate(0.05, 0.01, 0.09)


def test_columns_of_an_accuracy() -> None:
    assert accuracy_columns(Estimate(0.5, 0.4, 0.7)) == {"top1": 0.5, "low": 0.4, "high": 0.7}


def test_columns_of_a_difference() -> None:
    for against in (Difference(GAIN, 0.02), PairedComparison(9, GAIN, 1, 2, 0.02)):
        assert difference_columns(against) == {
            "difference": 0.05,
            "difference_low": 0.01,
            "difference_high": 0.09,
            "p_value": 0.02,
        }
    assert set(difference_columns(None).values()) == {None}
