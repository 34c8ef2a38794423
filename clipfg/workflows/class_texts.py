"""What a job's classes are called to its encoder: prompts, features of texts, a classifier."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clipfg.embedding.text_paths import Use, choose_paths
from clipfg.embedding.texts import embed_texts
from clipfg.errors import UsageError
from clipfg.heads.array_head import ArrayHead
from clipfg.options import JobOptions, PromptOptions
from clipfg.prompting import PromptSet, load_prompts
from clipfg.prompting.ensembling import Ensemble, make_ensemble
from clipfg.prompting.rendering import Sentences, names_used
from clipfg.types import ClassList, Manifest, Progress
from clipfg.workflows.boxes import reads_regions
from clipfg.workflows.session import Session

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from clipfg.heads.zero_shot import ZeroShot

logger = logging.getLogger("clipfg")


def named_prompts(options: JobOptions, manifest: Manifest) -> PromptSet:
    """The set of `--prompts`, else the data's own. Raises `UsageError` for several sets."""
    assert isinstance(options, PromptOptions)
    named = options.prompts
    if named and (named == "auto" or "," in named):
        raise UsageError(
            f"--prompts {named} is for `clipfg zeroshot`, which compares prompt sets; name one"
            " set here."
        )
    return load_prompts(named or manifest.prompts)


def named_ensemble(options: JobOptions) -> Ensemble:
    """The ensemble of `--ensemble`. Raises `UsageError` for one that needs images first."""
    assert isinstance(options, PromptOptions)
    ensemble = make_ensemble(options.ensemble)
    if ensemble.needs_images:
        raise UsageError(
            f"--ensemble {options.ensemble} needs all images at once and works only with"
            " `clipfg zeroshot`; try mean or score-mean."
        )
    return ensemble


def check_prompts(options: JobOptions, manifest: Manifest) -> None:
    """Raise what `class_weights` would, before images are embedded."""
    named_prompts(options, manifest)
    named_ensemble(options)


def session_texts(
    session: Session,
    texts: Sequence[str],
    prompts: str,
    use: Use | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Unit-norm features `[t, d]` of texts made with a prompt set, each by the path that suits it.

    `use` is what they are compared with: by default regions where the options read those from
    dense maps. Texts that are cut become a remark. Raises `UsageError` for a path that the encoder
    lacks.
    """
    encoder, options = session.encoder, session.options
    assert encoder is not None
    use = use or ("regions" if reads_regions(options) else "images")
    asked: Any = getattr(options, "text_path", "auto")
    chosen = choose_paths(texts, encoder, session.kept, asked, use)
    logger.debug(f"Text paths: {chosen}")
    if chosen.cut:
        session.cut_texts[prompts] = (
            f"{chosen.cut:,} of {len(texts):,} texts (prompts {prompts}) were cut at the"
            f" {chosen.longest} tokens that {encoder.name} reads."
        )
        logger.warning(session.cut_texts[prompts])
    return embed_texts(texts, encoder, session.kept, path=chosen.paths, progress=progress)


def text_weights(
    session: Session,
    prompts: PromptSet,
    classes: ClassList,
    ensemble: Ensemble,
    images: Float[Tensor, "n d"] | None = None,
) -> Float[Tensor, "c d"]:
    """A text weight per class; `images` are unlabelled features, where the ensemble needs them."""
    import torch

    assert session.encoder is not None
    sentences, features = _described(session, prompts, classes, ensemble)
    scale = session.encoder.logit_scale
    return ensemble.weights(torch.from_numpy(features), sentences, images, scale)


def class_weights(session: Session, manifest: Manifest, classes: ClassList) -> Float[Tensor, "c d"]:
    """The weights of the one prompt set and ensemble that the options or the data name.

    Raises `UsageError` as `named_prompts` and `named_ensemble` do.
    """
    prompts, ensemble = named_prompts(session.options, manifest), named_ensemble(session.options)
    return text_weights(session, prompts, classes, ensemble)


def zero_shot(
    session: Session,
    prompts: PromptSet,
    classes: ClassList,
    ensemble: Ensemble,
    images: Float[Tensor, "n d"] | None = None,
) -> ZeroShot:
    """The encoder's own classifier on `text_weights`, which describes the arguments."""
    from clipfg.heads.zero_shot import ZeroShot

    assert session.encoder is not None
    weights = text_weights(session, prompts, classes, ensemble, images)
    scale, bias = session.encoder.logit_scale, session.encoder.logit_bias
    return ZeroShot(scale, bias, ensemble.renormalise).fit(text_weights=weights)


def array_zero_shot(
    session: Session, prompts: PromptSet, classes: ClassList, ensemble: Ensemble
) -> ArrayHead:
    """The same by NumPy alone, for an ensemble that needs no images."""
    assert session.encoder is not None
    sentences, features = _described(session, prompts, classes, ensemble)
    weights = ensemble.array_weights(features, sentences)
    return ArrayHead.zero_shot(weights, session.encoder.logit_scale, session.encoder.logit_bias)


def _described(
    session: Session, prompts: PromptSet, classes: ClassList, ensemble: Ensemble
) -> tuple[Sentences, NDArray[np.float32]]:
    """The texts of every class and their features, with what there is to say of them."""
    sentences = ensemble.sentences(prompts, classes, session.options.seed)
    logger.info(
        f"Prompts: {prompts.name}, {len(sentences):,} texts for {len(classes):,} classes"
        + ("" if ensemble.name == "mean" else f", ensemble {ensemble.name}")
    )
    for note in prompts.notes:
        logger.warning(f"Note on prompts: {note}")
    if remark := names_used(classes):
        logger.info(remark)
    return sentences, session_texts(session, sentences.texts, prompts.name)
