"""Demonstrations for one photo: the prompt that a language model is given, and its answer."""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.data.images.thumbnails import thumbnail
from clipfg.data.readers.folder import read_images
from clipfg.data.sources import scheme_of
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.embedding.pipeline import collect
from clipfg.encoders import Encoder
from clipfg.errors import DataError, ItemError, UsageError
from clipfg.icl import CHATS, PromptWording, Question, in_order, vote
from clipfg.icl.prompts import with_sources
from clipfg.settings import Settings
from clipfg.types import ClassList, Failure, Manifest
from clipfg.workflows.icl.demonstrations import (
    Demonstration,
    DemonstrationFinder,
    DemonstrationPlan,
    as_the_store,
    open_store,
)
from clipfg.workflows.icl.lvlm_files import open_lvlm
from clipfg.workflows.icl.questions import SIDE, LvlmScorer, QuestionBuilder
from clipfg.workflows.session import (
    Dataset,
    choose_ensemble,
    choose_prompts,
    class_weights,
    open_cache,
    open_encoder,
)


@dataclass(frozen=True)
class Demos:
    """A ready prompt, what is shown in it, and what came of it.

    Attributes
    ----------
    demonstrations
        A row for each, in the order in which they are shown: `id`, `name`, `similarity`, `uri`.
    messages
        The prompt, as a chat server or a processor takes it.
    candidates
        The names that may be answered, in the prompt's order.
    vote
        What most of the labels shown say; None where none is shown.
    answers
        With a language model: the candidates with their mean log-probability a token, the likeliest
        first.
    """

    photo: str
    demonstrations: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    candidates: list[str]
    vote: str | None
    answers: list[dict[str, Any]] | None

    def to_json(self) -> dict[str, Any]:
        """Plain values, without what there is not."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def run_demos(photo: Path, settings: Settings, *, chat: str, data_urls: bool) -> Demos:
    """Select demonstrations for a photo, make the prompt, and with `--lvlm` have it answered.

    An image of the store with the photo's own content is not shown. Raises `UsageError` for an
    unknown format, `ItemError` for a photo that cannot be read, and other `ClipfgError`s.
    """
    if chat not in CHATS:
        raise UsageError(f"Expected --chat {' or '.join(CHATS)}, got {chat!r}.")
    plan = DemonstrationPlan.of(settings)
    store = open_store(settings)
    if store.classes is None:
        raise DataError(
            "Expected a store with class names, got one without; build it from labelled images."
        )
    plan.check(store.classes)
    manifest = read_images([photo])
    if len(manifest) != 1:
        raise UsageError(f"Expected one photo, got {len(manifest)} in {photo}.")
    with open_cache(settings) as cache:
        encoder = open_encoder(as_the_store(settings, store), cache, Dataset(manifest))
        store.check_encoder(encoder.fingerprint, encoder.name, encoder.precision)
        answerer = None
        if settings.lvlm is not None:
            answerer = LvlmScorer(
                *open_lvlm(settings, encoder.device, cache), cache, settings.resume
            )
        query = _embed(manifest, encoder, cache)
        suited = replace(manifest, prompts=store.prompts or manifest.prompts)
        prompts, ensemble = choose_prompts(settings, suited), choose_ensemble(settings)
        texts = class_weights(encoder, prompts, store.classes, cache, ensemble, seed=settings.seed)
        demonstrator = DemonstrationFinder(store, plan, store.classes, encoder.fingerprint, texts)
        uri = manifest.uris[0]
        shown = _others(uri, query, demonstrator, cache)
        wording = PromptWording(settings.instruction, settings.question)
        asker = QuestionBuilder(
            demonstrator, plan, store.classes, wording, settings.order, settings.seed
        )
        question = asker.ask(str(photo), uri, query, shown, texts @ query)
        answers = _answers(answerer, question, store.classes) if answerer else None
    said = with_sources(question.turns, lambda uri: _source(uri, data_urls=data_urls))
    return Demos(
        photo=str(photo),
        demonstrations=[_row(one, store.classes) for one in in_order(shown, settings.order)],
        messages=CHATS[chat](said),
        candidates=[store.classes.names[label] for label in question.labels],
        vote=_vote(shown, store.classes),
        answers=answers,
    )


def _embed(manifest: Manifest, encoder: Encoder, cache: EmbeddingCache) -> Float[Tensor, " d"]:
    def refuse(failure: Failure) -> None:
        raise ItemError(f"{failure.id} cannot be used: {failure.reason}")

    features = collect(manifest, encoder, cache, batch_size=1, on_failure=refuse)
    return torch.from_numpy(features.pooled[0])


def _others(
    uri: str, query: Float[Tensor, " d"], demonstrator: DemonstrationFinder, cache: EmbeddingCache
) -> list[Demonstration]:
    """The demonstrations of a photo, without the photo itself, under whatever name.

    What was selected is compared, and selected again where the photo was among it: a store may
    hold a million images.
    """
    hidden: list[int] = []
    while True:
        shown = demonstrator.select(query, hidden)
        contents = contents_of([uri, *(one.uri for one in shown)], cache)
        own = contents.get(uri)
        same = [one.id for one in shown if own is not None and contents.get(one.uri) == own]
        if not same:
            return shown
        hidden += demonstrator.store.rows(same).tolist()


def _row(one: Demonstration, classes: ClassList) -> dict[str, Any]:
    name = classes.names[one.label]
    return {"id": one.id, "name": name, "similarity": one.similarity, "uri": one.uri}


def _vote(shown: Sequence[Demonstration], classes: ClassList) -> str | None:
    if not shown:
        return None
    return classes.names[int(vote([one.label for one in shown], len(classes)).argmax())]


def _source(uri: str, *, data_urls: bool) -> str:
    """The image's path; a small copy in a data URL where asked for, or where it has no path."""
    if scheme_of(uri) is None and not data_urls:
        return uri
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(uri, SIDE)).decode()


def _answers(answerer: LvlmScorer, question: Question, classes: ClassList) -> list[dict[str, Any]]:
    scores, _ = answerer.scores(question)
    names = [classes.names[label] for label in question.labels]
    rows = [
        {"name": name, "log_probability": float(score)}
        for name, score in zip(names, scores, strict=True)
    ]
    return sorted(rows, key=lambda row: -float(row["log_probability"]))
