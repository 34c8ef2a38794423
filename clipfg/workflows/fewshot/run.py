"""Few-shot: the accuracy of heads on a few labelled images per class, and the head itself."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clipfg.embedding.pipeline import PATCHES
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.errors import UsageError
from clipfg.evaluation.curves.grouped import GroupedFigures
from clipfg.evaluation.curves.learning_curve import LearningCurve
from clipfg.evaluation.page import render_page
from clipfg.evaluation.serialization import to_json
from clipfg.heads.patch_prototypes import PatchPrototypes
from clipfg.heads.saving import check_savable, save_head
from clipfg.heads.support import Support
from clipfg.options import FewshotOptions
from clipfg.training.heads import Base
from clipfg.types import ClassList, Estimate, Manifest
from clipfg.workflows.answers import EXTRA, GROUPS, answer_options
from clipfg.workflows.boxes import framing_of
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.fewshot.calibration import (
    CalibratedHead,
    Calibrator,
    calibration_split,
    can_be_calibrated,
)
from clipfg.workflows.fewshot.evaluation import Evaluation
from clipfg.workflows.fewshot.groups import accuracy_by_pictures, with_answers
from clipfg.workflows.fewshot.heads import ZERO_SHOT, HeadSet, HeadSpec, parse_heads
from clipfg.workflows.fewshot.images import FewshotImages, gather_images
from clipfg.workflows.fewshot.items import Items, check_takes_images, load_images, with_patches
from clipfg.workflows.protocol.splits import SupportAndTest, open_support_and_test
from clipfg.workflows.protocol.support_sets import ALL, Shots, parse_shots
from clipfg.workflows.prototypes.figures import HeadFigures
from clipfg.workflows.prototypes.saved import EXTRA as EXAMPLES
from clipfg.workflows.prototypes.saved import Examples
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session
from clipfg.workflows.views import EXTRA as VIEWS

logger = logging.getLogger("clipfg")

SHOTS = "1,2,4,8,16"


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
    `ClipfgError`s: misspelt heads and shots, data without labels or split, a missing encoder.
    """
    options = session.options
    given = options.support is not None or options.own_labels is not None
    shots = parse_shots(options.shots or (ALL if given else SHOTS))
    asked = parse_heads(options.heads)
    if options.save is not None:
        check_savable(asked[0].kind)
    if (save := options.save) and (save.is_dir() or not save.absolute().parent.is_dir()):
        raise UsageError(f"--save must name a file in an existing folder, got {save}.")
    roles = open_support_and_test(
        session, support=options.support, own_labels=options.own_labels, within=options.within
    )
    answer_options(options).check(roles.classes)
    split = calibration_split(options, roles)
    seeds = tuple(range(options.seed, options.seed + options.seeds))
    parts = [part for part in (roles.test, roles.support) if part is not None]
    session.open_encoder_if_needed(*parts, without="there are no class texts and no zero-shot")
    manifest = parts[0].manifest  # whose own prompts count
    if session.encoder is not None:
        session.check_prompts(manifest)  # a misspelt name costs no embedding
    heads = _head_set(session, asked)
    if any(spec.kind.consumes == "patches" for spec in heads.specs):
        session.dense = PATCHES
    takes_images = _takes_images(session, heads, parts)
    made_by = session.provenance(roles.support)
    facts = {
        "heads": ",".join(spec.name for spec in asked),
        "shots": ",".join(map(str, shots)),
        "fingerprint": made_by.fingerprint,
        "manifest": manifest.digest,
        "support_manifest": roles.support.manifest.digest,
    }
    with session.run_folder(roles.name, **facts) as folder:
        images = gather_images(session, roles, shots, seeds)
        for remark in images.remarks:
            logger.warning(remark)
        texts = None
        if session.encoder is not None:
            texts = session.class_weights(manifest, images.classes)
        labels = torch.from_numpy(images.support.labels)
        support = Support.of(
            "few-shot", images.support.features, labels, texts, groups=images.support.groups
        )
        pool = None
        if images.test is not None:
            pool = Items(images.test.features, patches=images.test.patches)
        if session.dense:
            support = replace(support, patches=with_patches(session, roles.support, images.support))
        if any(spec.kind.needs_encoder for spec in heads.specs):
            heads = replace(heads, base=_base(session, manifest, images.classes))
        if takes_images:
            loaded = load_images(session, roles.support, images.support.ids)
            support = replace(support, images=loaded)
            if pool is not None and roles.test is not None and images.test is not None:
                pool = replace(pool, images=load_images(session, roles.test, images.test.ids))
        calibrator = Calibrator(session, heads, images, split)
        curve, known = Evaluation(
            session, roles, shots, seeds, heads, images, support, pool, calibrator, folder
        ).run()
        if isinstance(known.head, PatchPrototypes):
            said = HeadFigures.of(known.head).said
            logger.info(said)
            curve = replace(curve, remarks=(*curve.remarks, said))
        if roles.by_pictures is not None:
            plain = accuracy_by_pictures(
                session, roles.by_pictures, shots[-1], seeds, heads, (images.classes, texts)
            )
            curve = replace(curve, grouped=_figures(curve, options, images, plain, known))
        folder.results = to_json(curve)
        folder.part("curve.png").write_bytes(curve.grid.chart().to_png())
        if options.html:
            folder.write_text("report.html", render_page(curve))
    if options.save is not None:  # a full disk here costs no result
        extras = {EXTRA: known.confidence.to_fields()} if known.confidence else {}
        if known.groups is not None:
            extras[GROUPS] = known.groups.to_fields()
        if session.views is not None:
            extras[VIEWS] = {"names": "+".join(session.views.names)}
        if isinstance(known.head, PatchPrototypes):
            extras[EXAMPLES] = _examples(session, roles, images, known.head, shots[-1])
        save_head(options.save, known.head, images.classes, extras=extras, **vars(made_by))
        logger.info(f"Saved {heads.first.name} ({known.learnt_from}): {options.save}")
    done = len(images.support) + (len(images.test) if images.test else 0)
    return FewshotRun(folder.path, done, len(session.failures), curve, options.save)


def _examples(
    session: Session[FewshotOptions],
    roles: SupportAndTest,
    images: FewshotImages,
    head: PatchPrototypes,
    most: Shots,
) -> dict[str, Any]:
    """The training images that show a head's prototypes most."""
    rows = np.arange(len(images.support))
    if images.test is not None:
        rows = images.draws.rows(0, most)
    framing = framing_of(session.options, roles.support.manifest)
    return Examples.of(head, images.support, rows, framing.crop if framing else "whole").to_fields()


def _figures(
    curve: LearningCurve,
    options: FewshotOptions,
    images: FewshotImages,
    by_pictures: Estimate,
    known: CalibratedHead,
) -> GroupedFigures:
    """The first head at the most shots, by groups and by pictures."""
    assert options.group_by is not None
    cell = [cell for cell in curve.cells if cell.head == curve.first][-1]
    tested = images.test or images.support
    groups = len(tested) if tested.groups is None else len(tested.groups.unique())
    what = f"{cell.label}, {cell.shots or 'no'} shots"
    found = GroupedFigures(what, options.group_by, groups, cell.top1, by_pictures)
    if images.test is None:
        return found
    return with_answers(found, known.head, known.groups, images.test)


def _head_set(session: Session[FewshotOptions], asked: tuple[HeadSpec, ...]) -> HeadSet:
    """The heads to compare: with texts zero-shot too; without texts only those that need none."""
    first, encoder = asked[0], session.encoder
    if encoder is not None:
        scales = {"scale": encoder.logit_scale, "bias": encoder.logit_bias}
        return HeadSet(tuple(dict.fromkeys((HeadSpec(ZERO_SHOT), *asked))), first, scales)
    if first.kind.needs_texts:
        raise UsageError(
            f"Head {first.name!r} needs class texts and so cannot come first; name the --model that"
            " made the features, or use --head auto."
        )
    if left := [spec.name for spec in asked if spec.kind.needs_texts]:
        logger.warning(
            f"Skipped {', '.join(left)}: these heads need class texts; name the --model."
        )
    return HeadSet(tuple(spec for spec in asked if not spec.kind.needs_texts), first)


def _takes_images(
    session: Session[FewshotOptions], heads: HeadSet, parts: Sequence[Dataset]
) -> bool:
    """Whether a head takes images. Raises `UsageError` for what such heads cannot do."""
    first = heads.first
    options = session.options
    if not can_be_calibrated(first.kind) and (
        answer_options(options) or options.group_by is not None
    ):
        raise UsageError(
            f"Head {first.name!r} learns with the encoder or on patches and is not calibrated, so"
            " it can give no confidence, guarantees or answers by group; list another head first,"
            " such as auto."
        )
    if learners := [spec.name for spec in heads.specs if spec.kind.needs_encoder]:
        encoder = session.encoder
        if not isinstance(encoder, CheckpointEncoder):
            name = encoder.name if encoder else "none"
            raise UsageError(
                f"Head {learners[0]!r} learns with an encoder's weights, and {name} has none in a"
                " checkpoint."
            )
    takers = [spec.name for spec in heads.specs if spec.kind.consumes == "images"]
    if takers:
        check_takes_images(session, takers[0], *parts)
    return bool(takers)


def _base(session: Session[FewshotOptions], manifest: Manifest, classes: ClassList) -> Base:
    """The session's encoder, and what the prompts say of the classes."""
    assert isinstance(session.encoder, CheckpointEncoder)
    ensemble = session.ensemble()
    made = ensemble.sentences(session.prompts(manifest), classes, session.options.seed)
    return Base(session.encoder, classes.names, made, ensemble)
