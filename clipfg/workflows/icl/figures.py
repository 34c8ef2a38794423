"""The figures of an in-context evaluation: every method on the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.side_by_side import SideBySide, side_by_side
from clipfg.options import IclOptions
from clipfg.types import ClassList
from clipfg.workflows.icl.scorer import over_classes
from clipfg.workflows.pool import FeaturePool, score
from clipfg.workflows.run_folder import RunFolder, file_name


@dataclass(frozen=True)
class IclOutcome:
    """What came out for one image: votes of the labels shown for every class, and more.

    `scores` are the vision-language model's, None where there is no such model; `candidates` the
    classes that could be answered, None where nothing was asked.
    """

    votes: Float[Tensor, " c"]
    scores: Float[Tensor, " c"] | None
    candidates: tuple[int, ...] | None


def scores_by_method(
    outcomes: Sequence[IclOutcome], zero_shot: Float[Tensor, "n c"], shots: int, lvlm: str | None
) -> dict[str, Float[Tensor, "n c"]]:
    """The scores of each method by its name; what the others are compared with comes first."""
    vote = {f"vote of {shots} shown": torch.stack([one.votes for one in outcomes])} if shots else {}
    if lvlm is None:
        return {"zero-shot": zero_shot, **vote}
    scores = torch.stack([one.scores for one in outcomes if one.scores is not None])
    return {lvlm: scores, **vote, "zero-shot": zero_shot}


@dataclass(frozen=True)
class MethodScorer:
    """Writes the predictions of each method and makes its report."""

    pool: FeaturePool
    classes: ClassList
    folder: RunFolder
    options: IclOptions
    context: Mapping[str, str]

    def compare(
        self,
        methods: Mapping[str, Float[Tensor, "n c"]],
        outcomes: Sequence[IclOutcome],
        choices: int | None,
    ) -> SideBySide:
        """All methods against the first, image by image.

        In a multiple-choice question they are compared on the choices. What the encoder alone makes
        of all classes follows; it answers another question and is compared with nothing.
        """
        among = [one.candidates for one in outcomes if one.candidates is not None]
        if choices is None:
            return self._with_candidates(self._side_by_side(methods), among)
        narrow = self._side_by_side(
            {f"{name}, one of {choices}": _among(own, among) for name, own in methods.items()},
            choices,
        )
        # The vision-language model, first where there is one, was asked to choose only.
        others = list(methods)[outcomes[0].scores is not None :]
        wide = {name: self._report(name, methods[name])[0] for name in others}
        return SideBySide({**narrow.reports, **wide}, narrow.against_first)

    def _with_candidates(self, compared: SideBySide, among: Sequence[Sequence[int]]) -> SideBySide:
        """With the first method's level of chance, where it chose among fewer names than all."""
        if not among or len(among[0]) == len(self.classes):
            return compared
        labels = self.pool.labels.tolist()
        there = [label in own for label, own in zip(labels, among, strict=True)]
        first, report = next(iter(compared.reports.items()))
        remark = (
            f"{first} chose among {len(among[0])} names; the true class was among them for"
            f" {sum(there) / len(there):.1%} of the images"
        )
        guess = sum(t / len(own) for t, own in zip(there, among, strict=True)) / len(there)
        report = replace(report, chance=guess, remarks=(remark, *report.remarks))
        return SideBySide({**compared.reports, first: report}, compared.against_first)

    def _side_by_side(
        self, methods: Mapping[str, Float[Tensor, "n c"]], choices: int | None = None
    ) -> SideBySide:
        made = {name: self._report(name, own, choices) for name, own in methods.items()}
        return side_by_side(
            {name: report for name, (report, _) in made.items()},
            [evaluator.outcomes.hits for _, evaluator in made.values()],
        )

    def _report(
        self, name: str, scores: Float[Tensor, "n c"], choices: int | None = None
    ) -> tuple[Report, Evaluator]:
        evaluator = Evaluator(self.classes, seed=self.options.seed)
        score(
            self.pool,
            [scores],
            self.classes,
            self.folder.part(f"predictions-{file_name(name)}.parquet"),
            top_k=min(self.options.top_k, choices or len(self.classes)),
            evaluator=evaluator,
        )
        report = evaluator.report({**self.context, "method": name})
        if choices is not None:
            remark = (
                f"With {choices} choices, chance is {1 / choices:.0%}; the demonstrations' labels"
                " alone nearly reveal the answer, as their vote shows"
            )
            report = replace(report, classes=choices, chance=1 / choices, remarks=(remark,))
        return report, evaluator


def _among(scores: Float[Tensor, "n c"], choices: Sequence[Sequence[int]]) -> Float[Tensor, "n c"]:
    pairs = zip(scores, choices, strict=True)
    return torch.stack([over_classes(row[list(own)], own, len(row)) for row, own in pairs])
