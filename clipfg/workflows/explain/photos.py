"""A job's photos explained one after the other."""

import logging
from collections.abc import Sequence

import torch
from PIL import Image

from clipfg.errors import ItemError, UsageError
from clipfg.explaining import METHODS
from clipfg.heads.zero_shot import ZeroShot
from clipfg.prompting import PromptSet, load_prompts
from clipfg.types import UNLABELLED, ClassList, Failure
from clipfg.workflows.class_texts import session_texts
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.explain.explainer import Explainer, Pair
from clipfg.workflows.explain.explanation import Explanation
from clipfg.workflows.explain.phrases import HOW, Phrases
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

DENSE = "dense"
"""The method where none is named."""


def check_explainable(
    session: Session, data: Dataset, classes: ClassList, method: str = DENSE
) -> None:
    """Raise `UsageError` for what cannot be explained, before any image is embedded.

    That is features alone, boxes, a single class, and a tower that the method cannot look into.
    """
    if data.features is not None:
        raise UsageError(f"Expected images to explain, {data.name} holds features alone.")
    if session.boxes(data.manifest) is not None:
        raise UsageError(
            f"Expected whole images to explain, the items of {data.name} are boxes in them; try"
            " --crop whole."
        )
    if len(classes) < 2:
        raise UsageError(
            f"Expected at least two classes to compare, got {classes.names[0]!r} alone; add one"
            " that it might be mistaken for."
        )
    encoder = session.encoder
    assert encoder is not None
    blank = encoder.preprocessing(Image.new("RGB", (256, 256), "grey"))
    METHODS.get(method)(encoder, blank[None], torch.eye(1, encoder.dim))


def make_explainer(
    session: Session,
    classes: ClassList,
    head: ZeroShot,
    prompts: PromptSet,
    method: str = DENSE,
    phrases: str | None = None,
) -> Explainer:
    """An explainer with the session's encoder; phrases are those of `prompts` unless named.

    Raises `UsageError` as `load_prompts` does, and for a named set without descriptions.
    """
    encoder = session.encoder
    assert encoder is not None
    described = load_prompts(phrases) if phrases else prompts

    def embed(texts: Sequence[str]) -> torch.Tensor:
        return torch.from_numpy(session_texts(session, texts, described.name, "regions"))

    found = Phrases(described, classes, embed)
    if not any(map(found.of, classes.names)):
        if phrases:
            raise UsageError(f"--phrases {phrases} describes none of these classes. {HOW}")
        logger.info(f"No phrases describe these classes. {HOW}")
    return Explainer(
        encoder=encoder,
        method=METHODS.get(method),
        classes=classes,
        head=head,
        phrases=found,
        batch_size=session.options.batch_size,
        seed=session.options.seed,
    )


def explain_photos(
    session: Session, explainer: Explainer, data: Dataset, pairs: Sequence[Pair | None]
) -> list[Explanation]:
    """Explain each photo of `data` by its pair of classes, None for its two likeliest.

    Photos that cannot be read go to the session's failures.
    """
    manifest, features = data.manifest, session.features(data.manifest)
    places = {identity: place for place, identity in enumerate(manifest.ids)}
    progress = session.progress("Explaining")
    explained = []
    for row, identity in enumerate(features.ids):
        place = places[identity]
        uri, label = manifest.uris[place], int(manifest.labels[place])
        feature = torch.from_numpy(features.pooled[row])
        try:
            explained.append(
                explainer.explain(
                    identity,
                    uri,
                    feature,
                    pairs[place] or explainer.top_pair(feature),
                    None if label == UNLABELLED else label,
                )
            )
        except ItemError as error:  # its features were kept, but the photo has gone
            if session.options.strict:
                raise
            session.failures.add(Failure(identity, uri, "read", str(error)))
        if progress is not None:
            progress(row + 1, len(features.ids))
    return explained
