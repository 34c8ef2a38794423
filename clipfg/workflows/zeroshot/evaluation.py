"""The steps that every evaluation by class names has, and that of one prompt set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clipfg.errors import UsageError
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.rolled_up import rolled_up
from clipfg.evaluation.report.side_by_side import SideBySide, side_by_side
from clipfg.evaluation.serialization import to_json
from clipfg.options import ZeroshotOptions
from clipfg.prompting import PromptSet
from clipfg.prompting.ensembling import Ensemble
from clipfg.prompting.rendering import names_used
from clipfg.workflows.class_texts import array_zero_shot, zero_shot
from clipfg.workflows.classify import PREDICTIONS, classify
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.run_folder import Run, RunFolder, file_name
from clipfg.workflows.session import Session

if TYPE_CHECKING:
    from clipfg.confidence import AnswerColumns

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class ZeroshotRun(Run):
    """A finished zero-shot evaluation; with several prompt sets, `report` is the first one's."""

    report: Report
    comparison: SideBySide | None = None

    def rows(self) -> list[dict[str, Any]]:
        """A row per metric, or per prompt set where several were compared."""
        return self.result.rows()

    @property
    def result(self) -> Report | SideBySide:
        """What is shown of it."""
        return self.comparison or self.report


@dataclass(frozen=True)
class Evaluation:
    """The steps of one evaluation, and what they share; `seen` is a remark for each report."""

    session: Session[ZeroshotOptions]
    data: Dataset
    ensemble: Ensemble
    answers: AnswerColumns | None
    folder: RunFolder
    seen: str = ""

    def streamed(self, prompts: PromptSet) -> ZeroshotRun:
        """One prompt set, with no more than a batch of features in memory."""
        session, classes = self.session, self.data.classes
        assert session.encoder is not None
        plain = self.answers is None and session.views is None and not session.options.explain
        make = array_zero_shot if plain else zero_shot
        head: Any = make(session, prompts, classes, self.ensemble)
        evaluator = Evaluator(classes, seed=session.options.seed)
        counts = classify(
            session,
            self.data,
            head,
            classes,
            self.folder,
            top_k=session.options.top_k,
            scoring=session.encoder.scoring,
            evaluator=evaluator,
            answers=self.answers,
        )
        self.log_done(counts.done, counts.reused, counts.seconds)
        self.explain(head, prompts, PREDICTIONS)
        report = self.report(evaluator, prompts, PREDICTIONS)
        if counts.remark:
            report = replace(report, remarks=(*report.remarks, counts.remark))
        return self.finish(counts.done, {prompts.name: (report, evaluator)})

    def report(self, evaluator: Evaluator, prompts: PromptSet, file: str) -> Report:
        """The report on the predictions in a file, with what there is to say of the prompts."""
        options, encoder = self.session.options, self.session.encoder
        assert encoder is not None
        context = {
            "data": self.data.name,
            "split": options.split or "",
            "model": encoder.name,
            "precision": encoder.precision,
            "prompts": prompts.name,
            "ensemble": "" if self.ensemble.name == "mean" else self.ensemble.name,
        }
        rolled = None
        if options.roll_up is not None:
            path = self.folder.part(file)
            rolled = rolled_up(path, self.data.classes, options.roll_up)
        cut = self.session.cut_texts.get(prompts.name)
        remarks = tuple(
            filter(None, (self.seen, *prompts.notes, names_used(self.data.classes), cut))
        )
        return replace(evaluator.report(context), remarks=remarks, rolled_up=rolled)

    def explain(self, head: Any, prompts: PromptSet, file: str) -> None:
        """Add why the surest mistakes were made, where that is asked for."""
        if (most := self.session.options.explain) is not None:
            from clipfg.workflows.explain.added import add_explanations, mistaken_pairs

            chosen = mistaken_pairs(self.folder.part(file), self.data.classes, most)
            add_explanations(
                self.session, self.data, self.data.classes, head, prompts, self.folder, chosen
            )

    def log_done(self, done: int, reused: int, seconds: float) -> None:
        """Say how many images were classified."""
        logger.info(
            f"Classified {done:,} images in {seconds:.1f} s ({reused:,} from the cache), skipped"
            f" {len(self.session.failures):,}"
        )

    def finish(self, done: int, evaluated: dict[str, tuple[Report, Evaluator]]) -> ZeroshotRun:
        """Results and pages of the prompt sets, by their names; several are compared."""
        reports = {name: report for name, (report, _) in evaluated.items()}
        comparison = None
        if len(reports) > 1:
            hits = [evaluator.outcomes.hits for _, evaluator in evaluated.values()]
            comparison = side_by_side(reports, hits)
            reports = dict(comparison.reports)
        first = next(iter(reports.values()))
        self.folder.results = to_json(comparison or first)
        if self.session.options.html:
            from clipfg.evaluation.page import render_page
            from clipfg.workflows.mistakes import surest_mistakes

            for report, name in zip(reports.values(), file_names([*reports]), strict=True):
                mistakes = surest_mistakes(self.folder.part(f"predictions{name}.parquet"))
                self.folder.write_text(f"report{name}.html", render_page(report, mistakes))
        return ZeroshotRun(self.folder.path, done, len(self.session.failures), first, comparison)


def file_names(names: Sequence[str]) -> list[str]:
    """What is put into the names of each set's files; nothing where there is one set."""
    if len(names) == 1:
        return [""]
    slugs = [f"-{file_name(name)}" for name in names]
    if len(set(slugs)) < len(slugs):
        raise UsageError(f"Prompt sets {', '.join(names)} would write to the same files.")
    return slugs
