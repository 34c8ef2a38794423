"""One few-shot evaluation: heads trained, scored, and the first of them calibrated."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipfg.confidence import AnswerColumns
from clipfg.errors import DataError
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.report.rolled_up import rolled_up
from clipfg.heads.items import Items
from clipfg.heads.support import Support
from clipfg.options import FewshotOptions
from clipfg.workflows.answers import answer_options, log_guarantees
from clipfg.workflows.fewshot.calibration import CalibratedHead, Calibrator
from clipfg.workflows.fewshot.heads import HeadSet
from clipfg.workflows.fewshot.images import FewshotImages
from clipfg.workflows.fewshot.reliability import measure_reliability
from clipfg.workflows.fewshot.scoring import judge
from clipfg.workflows.fewshot.trials import Trial, by_folds, by_shots
from clipfg.workflows.pool import FeaturePool, in_blocks, score
from clipfg.workflows.protocol.splits import SupportAndTest
from clipfg.workflows.protocol.support_sets import Shots
from clipfg.workflows.run_folder import RunFolder
from clipfg.workflows.session import Session

PREDICTIONS = "predictions.parquet"


@dataclass(frozen=True)
class Evaluation:
    """The steps of one evaluation, and what they share.

    `support` is all to learn from, `pool` what heads see of the test images, if there are any.
    """

    session: Session[FewshotOptions]
    roles: SupportAndTest
    shots: tuple[Shots, ...]
    seeds: tuple[int, ...]
    heads: HeadSet
    images: FewshotImages
    support: Support
    pool: Items | None
    calibrator: Calibrator
    folder: RunFolder

    def run(self) -> tuple[LearningCurve, CalibratedHead]:
        """The learning curve, and the first head as trained on the most shots."""
        if self.images.test is None:
            return self._on_folds()
        return self._on_test(self.images.test)

    def _on_test(self, test: FeaturePool) -> tuple[LearningCurve, CalibratedHead]:
        options, draws = self.session.options, self.images.draws
        assert self.pool is not None
        trials, head = by_shots(
            self.heads,
            self.support,
            draws,
            self.shots,
            self.seeds,
            self.pool,
            self.session.progress("Training"),
        )
        most = self.shots[-1]
        rows, words = draws.rows(0, most), f"{most} shots, draw {self.seeds[0]}"
        part = self.support.rows(torch.from_numpy(rows))
        known = self.calibrator.calibrate(CalibratedHead(head, part, rows, words))
        given = self.pool.given_to(type(known.head))
        self._predict(test, in_blocks(given, known.head.logits), known.answers)
        curve = self._curve(trials, test.labels, test.groups)
        if known.confidence is None or not answer_options(options):
            return curve, known
        classes = self.images.classes
        found = measure_reliability(known, test, classes, self.heads.first.head, options.seed)
        if options.roll_up is not None:
            file = self.folder.part(PREDICTIONS)
            rolled = rolled_up(file, classes, options.roll_up)
            found = replace(found, rolled_up=rolled)
        return replace(curve, reliability=found), known.with_remarks(found.unmet)

    def _on_folds(self) -> tuple[LearningCurve, CalibratedHead]:
        """An estimate from the support alone; the head is then trained on all of it."""
        support, seeds = self.support, self.seeds
        if not len(support.held_out(seeds)):
            raise DataError(
                "Expected two images of a class to estimate accuracy from, got one of each, or"
                " boxes of one picture; add images, or name a labelled --dataset to test on."
            )
        held = by_folds(self.heads, support, seeds, self.session.progress("Training"))
        test = self.images.support.rows(held.rows)
        self._predict(test, [held.logits])
        folds = len(support.splits(seeds[0]))
        estimated = (
            f"Estimated without a test set, by cross-validation: each of {len(test):,} images is"
            f" classified by heads trained on the other {folds - 1} of {folds} folds. The head that"
            " is kept is trained on all, so it is likely a little better; images of one object or"
            f" moment in several folds make the estimate too good{self._unless_grouped}."
        )
        head = self.heads.fit_first(support, seeds[0])
        rows = np.arange(len(support))
        known = self.calibrator.calibrate(CalibratedHead(head, support, rows, "all images"))
        log_guarantees(known.answers)
        return self._curve(held.trials, test.labels, test.groups, estimated), known

    @property
    def _unless_grouped(self) -> str:
        by = self.session.options.group_by
        return (
            "; say what belongs together by --group-by"
            if by is None
            else f", but those of --group-by {by} are in one"
        )

    def _predict(
        self, test: FeaturePool, blocks: Iterable[Tensor], answers: AnswerColumns | None = None
    ) -> None:
        path, top_k = self.folder.part(PREDICTIONS), self.session.options.top_k
        score(test, blocks, self.images.classes, path, top_k=top_k, answers=answers)

    def _curve(
        self,
        trials: list[Trial],
        labels: NDArray[np.int64],
        groups: Tensor | None,
        estimated: str = "",
    ) -> LearningCurve:
        seeds, encoder = self.seeds, self.session.encoder
        numbers = None if groups is None else groups.numpy()
        context = {
            "data": self.roles.name,
            "learnt from": self.roles.source,
            "tested on": self.roles.tested,
            "supports": f"{len(seeds)} draws" if len(seeds) > 1 else f"seed {seeds[0]}",
            "model": encoder.name if encoder else "",
            "precision": encoder.precision if encoder else "",
        }
        curve = judge(self.heads, trials, labels, len(self.images.classes), numbers)
        remarks = (*self.images.remarks, *self.session.cut_texts.values())
        return replace(curve, context=context, remarks=remarks, estimated=estimated)
