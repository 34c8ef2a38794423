"""Which prompt sets a run is about: those named, or the one that suits the images best."""

import logging
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from clipfg.embedding.cache import EmbeddingCache
from clipfg.encoders import Encoder
from clipfg.errors import UsageError
from clipfg.heads.zero_shot import ZeroShot
from clipfg.prompting import PromptSet, load_prompts
from clipfg.prompting.criteria import CHOSEN, CRITERIA
from clipfg.prompting.ensembling import Ensemble
from clipfg.prompting.loading import covering_descriptions
from clipfg.settings import Settings
from clipfg.types import ClassList, Manifest
from clipfg.workflows.session import class_weights

logger = logging.getLogger("clipfg")

AUTO = "auto"


@dataclass(frozen=True)
class PromptChoice:
    """The prompt sets of a run, and whether one of them is to be chosen."""

    sets: tuple[PromptSet, ...]
    auto: bool = False


def asked_prompts(settings: Settings, manifest: Manifest, classes: ClassList) -> PromptChoice:
    """The sets of `--prompts`: one, several with commas, or `auto`.

    `auto` alone chooses among the set that suits the data, the same joined with every description
    file that knows all of its classes, `general` and `photo`; `auto,a,b` among `a` and `b`.

    Raises `UsageError` for an unknown set, and one that is named twice.
    """
    given = settings.prompts or manifest.prompts
    names = [name.strip() for name in given.split(",") if name.strip()]
    auto = AUTO in names
    names = [name for name in names if name != AUTO]
    if auto and not names:
        own = manifest.prompts
        joined = [f"{own}+{name}" for name in covering_descriptions(classes.names)]
        names = list(dict.fromkeys([own, *joined, "general", "photo"]))
    if len(set(names)) < len(names) or not names:
        raise UsageError(f"Expected different prompt sets, got {given!r}.")
    return PromptChoice(tuple(map(load_prompts, names)), auto)


def choose_by_images(
    sets: tuple[PromptSet, ...],
    features: Float[Tensor, "n d"],
    encoder: Encoder,
    classes: ClassList,
    cache: EmbeddingCache,
    ensemble: Ensemble,
    seed: int,
) -> tuple[PromptSet, dict[str, float]]:
    """The set with the best label-free criterion on these images, and every set's value.

    Of equal ones the first.
    """
    values = {}
    for prompts in sets:
        weights = class_weights(
            encoder, prompts, classes, cache, ensemble, images=features, seed=seed
        )
        head = ZeroShot(encoder.logit_scale, encoder.logit_bias, ensemble.renormalise)
        logits = head.fit(text_weights=weights).logits(features)
        values[prompts.name] = CRITERIA[CHOSEN](logits, features)
    best = max(sets, key=lambda prompts: values[prompts.name])
    listed = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
    logger.info(f"Chose prompts {best.name!r} without labels, by {CHOSEN}: {listed}")
    return best, values
