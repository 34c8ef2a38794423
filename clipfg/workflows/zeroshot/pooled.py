"""Prompt sets that are compared or chosen, and methods that look at all images first."""

import logging
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.report.report import Report
from clipfg.heads.transduction import TRANSDUCTIONS, caution
from clipfg.options import ZeroshotOptions
from clipfg.prompting import PromptSet
from clipfg.prompting.criteria import CHOSEN, CRITERIA
from clipfg.prompting.ensembling import Ensemble
from clipfg.types import ClassList
from clipfg.workflows.class_texts import zero_shot
from clipfg.workflows.pool import FeaturePool, in_blocks, score
from clipfg.workflows.session import Session
from clipfg.workflows.zeroshot.evaluation import Evaluation, ZeroshotRun, file_names
from clipfg.workflows.zeroshot.prompts import PromptChoice

logger = logging.getLogger("clipfg")


def evaluate_pooled(evaluation: Evaluation, choice: PromptChoice) -> ZeroshotRun:
    """All sets of a choice, or the best of them, on features that are all in memory."""
    session, data = evaluation.session, evaluation.data
    pool = session.pool(data)
    evaluation.log_done(len(pool), pool.reused, pool.seconds)
    sets, values = choice.sets, dict[str, float]()
    if choice.auto:
        best, values = choose_by_images(
            session, sets, pool.features, data.classes, evaluation.ensemble
        )
        sets = (best,)
    names = file_names([prompts.name for prompts in sets])
    evaluated = {
        prompts.name: _evaluate(
            evaluation,
            pool,
            prompts,
            values,
            f"predictions{name}.parquet",
            explain=prompts is sets[0],
        )
        for prompts, name in zip(sets, names, strict=True)
    }
    return evaluation.finish(len(pool), evaluated)


def _evaluate(
    evaluation: Evaluation,
    pool: FeaturePool,
    prompts: PromptSet,
    values: dict[str, float],
    file: str,
    *,
    explain: bool,
) -> tuple[Report, Evaluator]:
    session, classes, ensemble = evaluation.session, evaluation.data.classes, evaluation.ensemble
    options = session.options
    assert session.encoder is not None
    head = zero_shot(session, prompts, classes, ensemble, pool.features)
    evaluator = Evaluator(classes, seed=options.seed)
    blocks = in_blocks(pool.features, head.logits)
    if options.transductive is not None:
        refine = TRANSDUCTIONS.get(options.transductive)
        blocks = [refine(pool.features, head.logits(pool.features))]
    score(
        pool,
        blocks,
        classes,
        evaluation.folder.part(file),
        top_k=options.top_k,
        scoring="softmax" if options.transductive else session.encoder.scoring,
        evaluator=evaluator,
        answers=evaluation.answers,
    )
    if explain:
        evaluation.explain(head, prompts, file)
    report = evaluation.report(evaluator, prompts, file)
    used = [f"prompts chosen by {CHOSEN}"] if values else []
    used += [f"ensemble {ensemble.name}"] if ensemble.needs_images else []
    used += [options.transductive] if options.transductive else []
    remarks = list(report.remarks)
    if values:
        remarks.append(f"The prompts were chosen without labels, by {CHOSEN}: {_listed(values)}")
    if options.transductive and (said := caution(options.transductive, len(pool), len(classes))):
        remarks.append(said)
    return replace(report, remarks=tuple(remarks), transductive=", ".join(used)), evaluator


def choose_by_images(
    session: Session[ZeroshotOptions],
    sets: tuple[PromptSet, ...],
    features: Float[Tensor, "n d"],
    classes: ClassList,
    ensemble: Ensemble,
) -> tuple[PromptSet, dict[str, float]]:
    """The first set with the best label-free criterion on these images, and all values."""
    values = {}
    for prompts in sets:
        head = zero_shot(session, prompts, classes, ensemble, features)
        values[prompts.name] = CRITERIA[CHOSEN](head.logits(features), features)
    best = max(sets, key=lambda prompts: values[prompts.name])
    logger.info(f"Chose prompts {best.name!r} without labels, by {CHOSEN}: {_listed(values)}")
    return best, values


def _listed(values: dict[str, float]) -> str:
    """Every set with its value."""
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
