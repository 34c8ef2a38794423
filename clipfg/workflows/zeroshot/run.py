"""Zero-shot accuracy: labelled images, classified by class names alone."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from clipfg.confidence import AnswerColumns
from clipfg.errors import UsageError
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.page import render_page
from clipfg.evaluation.report.report import Report
from clipfg.evaluation.report.rolled_up import rolled_up
from clipfg.evaluation.report.side_by_side import SideBySide, side_by_side
from clipfg.evaluation.serialization import to_json
from clipfg.heads.transduction import TRANSDUCTIONS, caution
from clipfg.heads.zero_shot import ZeroShot
from clipfg.options import ZeroshotOptions
from clipfg.prompting import PromptSet
from clipfg.prompting.criteria import CHOSEN
from clipfg.prompting.ensembling import Ensemble, make_ensemble
from clipfg.prompting.rendering import names_used
from clipfg.workflows.answers import answer_columns, log_guarantees
from clipfg.workflows.classify import PREDICTIONS, classify
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.mistakes import surest_mistakes
from clipfg.workflows.pool import FeaturePool, in_blocks, score
from clipfg.workflows.run_folder import Run, RunFolder, file_name
from clipfg.workflows.session import Session
from clipfg.workflows.zeroshot.choices import ChoiceRun, open_choices, run_choices
from clipfg.workflows.zeroshot.prompts import PromptChoice, choose_by_images, listed, prompt_choice

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


def run_zeroshot(session: Session[ZeroshotOptions]) -> ZeroshotRun | ChoiceRun:
    """Classify the labelled images of `--dataset` by their class names alone.

    Data whose items bring texts of their own are evaluated on those. Several prompt sets are
    compared on one embedding of the images. Raises `ClipfgError`s: data
    that cannot be read or has no labels, a missing encoder.
    """
    options = session.options
    session.embeds_only = not options.explain
    if (choices := open_choices(options)) is not None:
        return run_choices(session, choices)
    ensemble = make_ensemble(options.ensemble)
    if options.transductive is not None:
        TRANSDUCTIONS.get(options.transductive)  # a misspelt name costs no embedding
    data = session.dataset()
    data.check_labelled("clipfg predict")
    if options.classes is None:
        data.check_named()
    answers = answer_columns(options, data.classes, None)
    log_guarantees(answers)
    choice = prompt_choice(options, data.manifest, data.classes)
    session.open_encoder(data)
    if options.explain:
        from clipfg.workflows.explain.photos import check_explainable

        check_explainable(session, data, data.classes)
    facts = {"prompts": options.prompts or choice.name, "manifest": data.manifest.digest}
    with session.run_folder(data.name, **facts) as folder:
        evaluation = _Evaluation(session, data, ensemble, answers, folder)
        several = len(choice.sets) > 1
        if several or choice.auto or ensemble.needs_images or options.transductive:
            if options.view_pooling == "surest":
                raise UsageError(
                    "--view-pooling surest goes with one prompt set and each image by itself; name"
                    " one --prompts, and neither --transductive nor --ensemble weighted."
                )
            return evaluation.pooled(choice)
        return evaluation.streamed(choice.sets[0])


@dataclass(frozen=True)
class _Evaluation:
    """The steps of one evaluation, and what they share."""

    session: Session[ZeroshotOptions]
    data: Dataset
    ensemble: Ensemble
    answers: AnswerColumns | None
    folder: RunFolder

    def streamed(self, prompts: PromptSet) -> ZeroshotRun:
        """One prompt set, with no more than a batch of features in memory."""
        session, classes = self.session, self.data.classes
        assert session.encoder is not None
        weights = session.text_weights(prompts, classes, self.ensemble)
        head = session.zero_shot(weights, renormalise=self.ensemble.renormalise)
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
        self._log_done(counts.done, counts.reused, counts.seconds)
        self._explain(head, prompts, PREDICTIONS)
        report = self._report(evaluator, prompts, PREDICTIONS)
        if counts.remark:
            report = replace(report, remarks=(*report.remarks, counts.remark))
        return self._finish(counts.done, {prompts.name: (report, evaluator)})

    def pooled(self, choice: PromptChoice) -> ZeroshotRun:
        """Sets that are compared or chosen, and methods that look at all images first."""
        pool = self.session.pool(self.data)
        self._log_done(len(pool), pool.reused, pool.seconds)
        sets, values = choice.sets, dict[str, float]()
        if choice.auto:
            best, values = choose_by_images(
                self.session, sets, pool.features, self.data.classes, self.ensemble
            )
            sets = (best,)
        names = _file_names([prompts.name for prompts in sets])
        evaluated = {
            prompts.name: self._evaluate(
                pool, prompts, values, f"predictions{name}.parquet", explain=prompts is sets[0]
            )
            for prompts, name in zip(sets, names, strict=True)
        }
        return self._finish(len(pool), evaluated)

    def _evaluate(
        self,
        pool: FeaturePool,
        prompts: PromptSet,
        values: dict[str, float],
        file: str,
        *,
        explain: bool,
    ) -> tuple[Report, Evaluator]:
        session, options, classes = self.session, self.session.options, self.data.classes
        assert session.encoder is not None
        weights = session.text_weights(prompts, classes, self.ensemble, images=pool.features)
        head = session.zero_shot(weights, renormalise=self.ensemble.renormalise)
        evaluator = Evaluator(classes, seed=options.seed)
        blocks = in_blocks(pool.features, head.logits)
        if options.transductive is not None:
            refine = TRANSDUCTIONS.get(options.transductive)
            blocks = [refine(pool.features, head.logits(pool.features))]
        score(
            pool,
            blocks,
            classes,
            self.folder.part(file),
            top_k=options.top_k,
            scoring="softmax" if options.transductive else session.encoder.scoring,
            evaluator=evaluator,
            answers=self.answers,
        )
        if explain:
            self._explain(head, prompts, file)
        report = self._report(evaluator, prompts, file)
        used = [f"prompts chosen by {CHOSEN}"] if values else []
        used += [f"ensemble {self.ensemble.name}"] if self.ensemble.needs_images else []
        used += [options.transductive] if options.transductive else []
        if values:
            chosen = f"The prompts were chosen without labels, by {CHOSEN}: {listed(values)}"
            report = replace(report, remarks=(*report.remarks, chosen))
        if options.transductive and (
            remark := caution(options.transductive, len(pool), len(classes))
        ):
            report = replace(report, remarks=(*report.remarks, remark))
        return replace(report, transductive=", ".join(used)), evaluator

    def _report(self, evaluator: Evaluator, prompts: PromptSet, file: str) -> Report:
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
        remarks = tuple(filter(None, (*prompts.notes, names_used(self.data.classes), cut)))
        return replace(evaluator.report(context), remarks=remarks, rolled_up=rolled)

    def _explain(self, head: ZeroShot, prompts: PromptSet, file: str) -> None:
        """Add why the surest mistakes were made, where that is asked for."""
        if (most := self.session.options.explain) is not None:
            from clipfg.workflows.explain.added import add_explanations, mistaken_pairs

            chosen = mistaken_pairs(self.folder.part(file), self.data.classes, most)
            add_explanations(
                self.session, self.data, self.data.classes, head, prompts, self.folder, chosen
            )

    def _log_done(self, done: int, reused: int, seconds: float) -> None:
        logger.info(
            f"Classified {done:,} images in {seconds:.1f} s ({reused:,} from the cache), skipped"
            f" {len(self.session.failures):,}"
        )

    def _finish(self, done: int, evaluated: dict[str, tuple[Report, Evaluator]]) -> ZeroshotRun:
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
            for report, name in zip(reports.values(), _file_names([*reports]), strict=True):
                mistakes = surest_mistakes(self.folder.part(f"predictions{name}.parquet"))
                self.folder.write_text(f"report{name}.html", render_page(report, mistakes))
        return ZeroshotRun(self.folder.path, done, len(self.session.failures), first, comparison)


def _file_names(names: Sequence[str]) -> list[str]:
    """What is put into the names of each set's files; nothing where there is one set."""
    if len(names) == 1:
        return [""]
    slugs = [f"-{file_name(name)}" for name in names]
    if len(set(slugs)) < len(slugs):
        raise UsageError(f"Prompt sets {', '.join(names)} would write to the same files.")
    return slugs
