"""Few-shot: the accuracy of heads on a few labelled images per class, and the head itself."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.evaluation.curves.grouped import GroupedFigures
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.page import render_page
from clipfg.evaluation.serialization import to_json
from clipfg.heads.saving import save_head
from clipfg.options import FewshotOptions
from clipfg.training.heads import Base
from clipfg.types import ClassList, Manifest
from clipfg.workflows.answers import EXTRA, GROUPS
from clipfg.workflows.boxes import EXTRA as BOXES
from clipfg.workflows.boxes import framing_of
from clipfg.workflows.class_texts import class_weights, named_ensemble, named_prompts
from clipfg.workflows.fewshot.calibration import CalibratedHead, Calibrator
from clipfg.workflows.fewshot.evaluation import Evaluation
from clipfg.workflows.fewshot.groups import accuracy_by_pictures, with_answers
from clipfg.workflows.fewshot.images import FewshotImages, gather_images
from clipfg.workflows.fewshot.items import load_images, support_of
from clipfg.workflows.fewshot.plan import Plan
from clipfg.workflows.prototypes.saved import EXTRA as EXAMPLES
from clipfg.workflows.prototypes.saved import Examples
from clipfg.workflows.run_folder import Run, RunFolder
from clipfg.workflows.session import Session
from clipfg.workflows.views import EXTRA as VIEWS

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class FewshotRun(Run):
    """A finished few-shot run: its learning curve, and where its head was saved, if it was."""

    curve: LearningCurve
    head: Path | None = None

    def rows(self) -> list[dict[str, Any]]:
        """A row per head and number of shots."""
        return self.curve.rows()


def run_fewshot(session: Session[FewshotOptions]) -> FewshotRun:
    """Train heads on support sets drawn from `--dataset`, and compare them on its test images.

    With own labels and no data set, accuracy is estimated by cross-validation. Raises
    `ClipfgError`s: those of `Plan.of`, and a lack of images.
    """
    options, plan = session.options, Plan.of(session)
    made_by = session.provenance(plan.roles.support)
    with session.run_folder(plan.roles.name, **plan.facts(made_by)) as folder:
        images = gather_images(session, plan.roles, plan.shots, plan.seeds)
        for remark in images.remarks:
            logger.warning(remark)
        texts = None
        if session.encoder is not None:
            texts = class_weights(session, plan.manifest, images.classes)
        curve, known = _evaluation(session, plan, images, texts, folder).run()
        for remark in known.head.remarks:
            logger.info(remark)
        curve = replace(curve, remarks=(*curve.remarks, *known.head.remarks))
        if plan.roles.by_pictures is not None:
            found = _by_groups(session, plan, images, texts, curve, known)
            curve = replace(curve, grouped=found)
        folder.results = to_json(curve)
        folder.part("curve.png").write_bytes(curve.grid.chart().to_png())
        if options.html:
            folder.write_text("report.html", render_page(curve))
    if options.save is not None:  # a full disk here costs no result
        extras = _extras(session, plan, images, known)
        save_head(options.save, known.head, images.classes, extras=extras, **vars(made_by))
        logger.info(f"Saved {plan.heads.first.name} ({known.learnt_from}): {options.save}")
    done = len(images.support) + (len(images.test) if images.test else 0)
    return FewshotRun(folder.path, done, len(session.failures), curve, options.save)


def _evaluation(
    session: Session[FewshotOptions],
    plan: Plan,
    images: FewshotImages,
    texts: Float[Tensor, "c d"] | None,
    folder: RunFolder,
) -> Evaluation:
    """All that the plan's heads learn from and are tested on, in the forms that they take."""
    heads, roles = plan.heads, plan.roles
    support = support_of(session, roles, images, texts)
    pool = None if images.test is None else images.test.items
    if heads.that_need_encoder:
        heads = replace(heads, base=_base(session, plan.manifest, images.classes))
    if heads.that_consume("images"):
        loaded = load_images(session, roles.support, images.support.ids)
        support = replace(support, images=loaded)
        if pool is not None and roles.test is not None and images.test is not None:
            pool = replace(pool, images=load_images(session, roles.test, images.test.ids))
    calibrator = Calibrator(session, heads, images, plan.split)
    return Evaluation(
        session, roles, plan.shots, plan.seeds, heads, images, support, pool, calibrator, folder
    )


def _by_groups(
    session: Session[FewshotOptions],
    plan: Plan,
    images: FewshotImages,
    texts: Float[Tensor, "c d"] | None,
    curve: LearningCurve,
    known: CalibratedHead,
) -> GroupedFigures:
    """The first head at the most shots, by groups and by pictures."""
    by, roles = session.options.group_by, plan.roles.by_pictures
    assert by is not None
    assert roles is not None
    by_pictures = accuracy_by_pictures(
        session, roles, plan.shots[-1], plan.seeds, plan.heads, (images.classes, texts)
    )
    cell = [cell for cell in curve.cells if cell.head == curve.first][-1]
    tested = images.test or images.support
    groups = len(tested) if tested.groups is None else len(tested.groups.unique())
    what = f"{cell.label}, {cell.shots or 'no'} shots"
    found = GroupedFigures(what, by, groups, cell.top1, by_pictures)
    if images.test is None:
        return found
    return with_answers(found, known.head, known.groups, images.test, len(images.classes))


def _extras(
    session: Session[FewshotOptions], plan: Plan, images: FewshotImages, known: CalibratedHead
) -> dict[str, dict[str, Any]]:
    """What a file keeps beside the head."""
    extras = {EXTRA: known.confidence.to_fields()} if known.confidence else {}
    if known.groups is not None:
        extras[GROUPS] = known.groups.to_fields()
    if session.views is not None:
        extras[VIEWS] = {"names": "+".join(session.views.names)}
    framing = framing_of(session.options, plan.roles.support.manifest)
    if framing is not None:
        extras[BOXES] = {"crop": framing.crop}
    if (shown := known.head.exhibits) is not None:
        crop = framing.crop if framing else "whole"
        extras[EXAMPLES] = Examples.of(shown.tolist(), images.support, known.rows, crop).to_fields()
    return extras


def _base(session: Session[FewshotOptions], manifest: Manifest, classes: ClassList) -> Base:
    """The session's encoder, and what the prompts say of the classes."""
    assert isinstance(session.encoder, CheckpointEncoder)
    options = session.options
    prompts, ensemble = named_prompts(options, manifest), named_ensemble(options)
    made = ensemble.sentences(prompts, classes, options.seed)
    return Base(session.encoder, classes.names, made, ensemble)
