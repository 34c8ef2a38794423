"""Zero-shot accuracy: labelled images, classified by class names alone."""

import logging

from clipfg.errors import UsageError
from clipfg.options import ZeroshotOptions
from clipfg.prompting.ensembling import make_ensemble
from clipfg.workflows.answers import answer_columns, log_guarantees
from clipfg.workflows.session import Session
from clipfg.workflows.zeroshot.choices import ChoiceRun, open_choices, run_choices
from clipfg.workflows.zeroshot.evaluation import Evaluation, ZeroshotRun
from clipfg.workflows.zeroshot.prompts import prompt_choice

logger = logging.getLogger("clipfg")


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
        from clipfg.heads.transduction import TRANSDUCTIONS

        TRANSDUCTIONS.get(options.transductive)  # a misspelt name costs no embedding
    data = session.dataset()
    data.check_labelled("clipfg predict")
    if options.classes is None:
        data.check_named()
    answers = answer_columns(options, data.classes, None)
    log_guarantees(answers)
    choice = prompt_choice(options, data.manifest, data.classes)
    session.open_encoder(data)
    if seen := session.seen_in_training(data.manifest.uris):
        logger.warning(seen)
    if options.explain:
        from clipfg.workflows.explain.photos import check_explainable

        check_explainable(session, data, data.classes)
    facts = {"prompts": options.prompts or choice.name, "manifest": data.manifest.digest}
    with session.run_folder(data.name, **facts) as folder:
        evaluation = Evaluation(session, data, ensemble, answers, folder, seen)
        several = len(choice.sets) > 1
        if several or choice.auto or ensemble.needs_images or options.transductive:
            if options.view_pooling == "surest":
                raise UsageError(
                    "--view-pooling surest goes with one prompt set and each image by itself; name"
                    " one --prompts, and neither --transductive nor --ensemble weighted."
                )
            from clipfg.workflows.zeroshot.pooled import evaluate_pooled

            return evaluate_pooled(evaluation, choice)
        return evaluation.streamed(choice.sets[0])
