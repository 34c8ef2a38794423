"""Several classifiers of the same items: each one's report, and each against the first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from numpy.typing import NDArray

from clipfg.evaluation.report.report import SCHEMA, Report
from clipfg.evaluation.report.terminal import bounds, percent
from clipfg.evaluation.statistics.paired import PairedComparison, compare


@dataclass(frozen=True)
class SideBySide:
    """Reports by name, and the paired comparison of each but the first with the first."""

    reports: Mapping[str, Report]
    against_first: Mapping[str, PairedComparison]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each: top-1 with its interval, and the paired difference with its p value."""
        rows = []
        for name, report in self.reports.items():
            top1, paired = report.metrics["top1"], self.against_first.get(name)
            row: dict[str, Any] = {
                "name": name,
                "top1": top1.value,
                "low": top1.low,
                "high": top1.high,
                "mean_per_class": report.metrics["mean_per_class"].value,
                "difference": paired.difference.value if paired else None,
                "difference_low": paired.difference.low if paired else None,
                "difference_high": paired.difference.high if paired else None,
                "p_value": paired.p_value if paired else None,
            }
            if report.transductive:
                row["transductive"] = report.transductive
            rows.append(row)
        return rows

    def shown(self) -> list[dict[str, str]]:
        """The rows as a person reads them, in per cent and points."""
        rows = []
        for name, report in self.reports.items():
            paired = self.against_first.get(name)
            top1 = report.metrics["top1"]
            mark = " (transductive)" if report.transductive else ""
            rows.append(
                {
                    "prompts": name,
                    f"top-1{mark}": f"{percent(top1.value)} ({bounds(top1)})",
                    "against the first": _points(paired) if paired else "",
                    "p": f"{paired.p_value:.2g}" if paired else "",
                }
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain values; each report is as it would be on its own."""
        return {
            "schema": SCHEMA,
            "comparison": {name: asdict(paired) for name, paired in self.against_first.items()},
            "reports": {name: report.to_json() for name, report in self.reports.items()},
        }


def side_by_side(
    reports: Mapping[str, Report], hits: Sequence[NDArray[Any]], seed: int = 0
) -> SideBySide:
    """Compare each with the first on the items of `hits` (`Outcomes.hits`, in the same order).

    Every other report is given a remark that says how it compares. Of many comparisons some come
    out below p = 0.05 by chance alone: the p values are of single tests.
    """
    names = list(reports)
    against = {
        name: compare(hits[0], own, seed) for name, own in zip(names[1:], hits[1:], strict=True)
    }
    remarked = {
        name: replace(report, remarks=(*report.remarks, _remark(names[0], against[name])))
        if name in against
        else report
        for name, report in reports.items()
    }
    return SideBySide(remarked, against)


def _remark(first: str, paired: PairedComparison) -> str:
    return (
        f"Top-1 against {first} on the same images: {_points(paired)}, McNemar's exact p ="
        f" {paired.p_value:.2g}"
    )


def _points(paired: PairedComparison) -> str:
    gain = paired.difference
    return f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
