"""Several classifiers of the same items: a report of each, and each against the first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from numpy.typing import NDArray
from pydantic import Field, PlainSerializer

from clipfg.evaluation.report.report import Report
from clipfg.evaluation.serialization import to_json
from clipfg.evaluation.statistics.columns import accuracy_columns, difference_columns
from clipfg.evaluation.statistics.paired import PairedComparison, compare
from clipfg.pages.formats import points


@dataclass(frozen=True)
class SideBySide:
    """Reports by name, and the paired comparison of each other one with the first."""

    SCHEMA: ClassVar[int] = 1

    reports: Mapping[str, Annotated[Report, PlainSerializer(to_json)]]
    against_first: Annotated[Mapping[str, PairedComparison], Field(alias="comparison")]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each: top-1 with its interval, and the paired difference with its p value."""
        return [
            {
                "name": name,
                **accuracy_columns(report.metrics["top1"]),
                "mean_per_class": report.metrics["mean_per_class"].value,
                **difference_columns(self.against_first.get(name)),
                **({"transductive": report.transductive} if report.transductive else {}),
            }
            for name, report in self.reports.items()
        ]


def side_by_side(reports: Mapping[str, Report], hits: Sequence[NDArray[Any]]) -> SideBySide:
    """Compare each with the first on the items of `hits` (`Outcomes.hits`, in the same order).

    Every other report gets a remark that says how it compares. The p values are of single tests:
    of many comparisons some come out below 0.05 by chance alone.
    """
    first, *others = reports
    against = {name: compare(hits[0], own) for name, own in zip(others, hits[1:], strict=True)}
    remarked = dict(reports)
    for name, paired in against.items():
        remark = (
            f"Top-1 accuracy against {first} on the same images: {points(paired.difference)}"
            f" points, McNemar's exact test p = {paired.p_value:.2g}"
        )
        remarked[name] = replace(reports[name], remarks=(*reports[name].remarks, remark))
    return SideBySide(remarked, against)
