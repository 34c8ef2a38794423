"""What a few-shot run is to do, settled and checked before anything is embedded."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from clipfg.embedding.pipeline import PATCHES
from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.errors import UsageError
from clipfg.heads.saving import check_savable
from clipfg.options import FewshotOptions
from clipfg.types import Manifest
from clipfg.workflows.answers import answer_options
from clipfg.workflows.class_texts import check_prompts
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.fewshot.calibration import calibration_split, can_be_calibrated
from clipfg.workflows.fewshot.heads import ZERO_SHOT, HeadSet, HeadSpec, parse_heads
from clipfg.workflows.fewshot.items import check_takes_images
from clipfg.workflows.protocol.splits import SupportAndTest, open_support_and_test
from clipfg.workflows.protocol.support_sets import ALL, Shots, parse_shots
from clipfg.workflows.provenance import Provenance
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

SHOTS = "1,2,4,8,16"


@dataclass(frozen=True)
class Plan:
    """The heads to compare, on what images, and at how many shots, each drawn once a seed.

    `split` are the images that `--calibration` names, None where it names none; `manifest` the one
    whose own prompts count.
    """

    roles: SupportAndTest
    shots: tuple[Shots, ...]
    seeds: tuple[int, ...]
    asked: tuple[HeadSpec, ...]
    heads: HeadSet
    split: Dataset | None
    manifest: Manifest

    @classmethod
    def of(cls, session: Session[FewshotOptions]) -> Self:
        """Open the data and the encoder of a session, and check its options against them.

        Raises `ClipfgError`s: misspelt heads and shots, data without labels or split, a missing
        encoder.
        """
        options = session.options
        given = options.support is not None or options.own_labels is not None
        shots = parse_shots(options.shots or (ALL if given else SHOTS))
        asked = parse_heads(options.heads)
        _check_save(options, asked[0])
        roles = open_support_and_test(
            session, support=options.support, own_labels=options.own_labels, within=options.within
        )
        answer_options(options).check(roles.classes)
        split = calibration_split(options, roles)
        parts = [part for part in (roles.test, roles.support) if part is not None]
        session.open_encoder_if_needed(*parts, without="there are no class texts and no zero-shot")
        manifest = parts[0].manifest
        if session.encoder is not None:
            check_prompts(options, manifest)  # a misspelt name costs no embedding
        heads = _head_set(session, asked)
        _check_heads(session, heads, parts)
        if heads.that_consume("patches"):
            session.dense = PATCHES
        seeds = tuple(range(options.seed, options.seed + options.seeds))
        return cls(roles, shots, seeds, asked, heads, split, manifest)

    def facts(self, made_by: Provenance) -> dict[str, str]:
        """What a run folder is told by."""
        return {
            "heads": ",".join(spec.name for spec in self.asked),
            "shots": ",".join(map(str, self.shots)),
            "fingerprint": made_by.fingerprint,
            "manifest": self.manifest.digest,
            "support_manifest": self.roles.support.manifest.digest,
        }


def _check_save(options: FewshotOptions, first: HeadSpec) -> None:
    if (save := options.save) is None:
        return
    check_savable(first.kind)
    if save.is_dir() or not save.absolute().parent.is_dir():
        raise UsageError(f"--save must name a file in an existing folder, got {save}.")


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


def _check_heads(
    session: Session[FewshotOptions], heads: HeadSet, parts: Sequence[Dataset]
) -> None:
    """Raises `UsageError` for what heads that learn with an encoder cannot do."""
    first, options = heads.first, session.options
    if not can_be_calibrated(first.kind) and (
        answer_options(options) or options.group_by is not None
    ):
        raise UsageError(
            f"Head {first.name!r} learns with the encoder and is not calibrated, so it can give no"
            " confidence, guarantees or answers by group; list another head first, such as auto."
        )
    if learners := heads.that_need_encoder:
        encoder = session.encoder
        if not isinstance(encoder, CheckpointEncoder):
            name = encoder.name if encoder else "none"
            raise UsageError(
                f"Head {learners[0].name!r} learns with an encoder's weights, and {name} has none"
                " in a checkpoint."
            )
    if takers := heads.that_consume("images"):
        check_takes_images(session, takers[0].name, *parts)
