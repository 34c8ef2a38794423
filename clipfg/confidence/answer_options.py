"""Which answers are wanted for each image beyond its most likely class."""

from dataclasses import dataclass

from clipfg.errors import UsageError
from clipfg.types import ClassList


@dataclass(frozen=True)
class AnswerOptions:
    """The requested answers; None and False for those that are not.

    Parameters
    ----------
    target_error
        Answer only as long as at most this share of answers is wrong.
    prediction_set, each_class
        A set of classes that contains the true one with this probability; with `each_class`, within
        every class.
    unknown
        Flag out-of-distribution images, which belong to none of the classes.
    roll_up
        Name the narrowest group that has this probability.

    Raises `UsageError` for levels outside 0 to 1, and for `each_class` without `prediction_set`.
    """

    target_error: float | None = None
    prediction_set: float | None = None
    each_class: bool = False
    unknown: bool = False
    roll_up: float | None = None

    def __post_init__(self) -> None:
        for option in ("target_error", "prediction_set", "roll_up"):
            value = getattr(self, option)
            if value is not None and not 0 < value < 1:
                raise UsageError(
                    f"--{option.replace('_', '-')} must be between 0 and 1, got {value:g}."
                )
        if self.each_class and self.prediction_set is None:
            raise UsageError("--each-class needs --prediction-set; try --prediction-set 0.9.")

    @property
    def guarantees(self) -> bool:
        """Whether any of them needs labelled images."""
        return self.target_error is not None or self.prediction_set is not None or self.unknown

    def check(self, classes: ClassList) -> None:
        """Raises `UsageError` if groups are requested of classes that have none."""
        if self.roll_up is not None and not classes.parents:
            raise UsageError(
                "--roll-up needs classes with parents; give --classes a CSV with the columns"
                " name,parent."
            )

    def __bool__(self) -> bool:
        return self.guarantees or self.roll_up is not None
