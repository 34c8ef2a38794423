"""Demonstrations for one photo: the prompt for a vision-language model, and its answer."""

import base64
import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.atomic import finished
from clipfg.data.images.thumbnails import thumbnail
from clipfg.data.readers.pictures import read_images
from clipfg.data.sources import scheme_of
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.embedding.pipeline import collect
from clipfg.errors import DataError, ItemError, UsageError
from clipfg.icl import CHATS, in_order
from clipfg.icl.prompts import with_sources
from clipfg.options import DemosOptions
from clipfg.types import Failure, Manifest
from clipfg.workflows.class_texts import class_weights
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.icl.demonstrations import (
    Demonstration,
    DemonstrationFinder,
    DemonstrationPlan,
    voted,
)
from clipfg.workflows.icl.questions import QuestionBuilder
from clipfg.workflows.icl.scorer import SIDE, LvlmScorer
from clipfg.workflows.index.store import open_store, open_store_encoder
from clipfg.workflows.metric import Metric
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session


@dataclass(frozen=True)
class DemosRun(Run):
    """A ready prompt, what is shown in it, and what came of it.

    `demonstrations` have a row each, in the order in which they are shown: `id`, `name`,
    `similarity`, `uri`. `messages` are the prompt, as a chat server or a processor takes it;
    `candidates` the names that may be answered, in its order. `vote` is the label that has most
    votes of those shown, None where none is shown. With a vision-language model, `answers` are the
    candidates with their mean log-probability per token, the likeliest first.
    """

    photo: str
    demonstrations: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    candidates: list[str]
    vote: str | None
    answers: list[dict[str, Any]] | None

    def rows(self) -> list[dict[str, Any]]:
        """The demonstrations."""
        return self.demonstrations

    def to_json(self) -> dict[str, Any]:
        """Plain values, without those that are missing."""
        own = {field.name for field in fields(self)} - {field.name for field in fields(Run)}
        return {k: v for k, v in vars(self).items() if k in own and v is not None}


def run_demos(session: Session[DemosOptions], photo: Path) -> DemosRun:
    """Choose demonstrations for a photo, make the prompt, and with `--lvlm` have it answered.

    An image of the store with the photo's own content is not shown. Raises `ItemError` for a photo
    that cannot be read, and other `ClipfgError`s.
    """
    options = session.options
    if options.output is not None and options.output.is_dir():
        raise UsageError(f"--output {options.output} is a folder; name a file.")
    plan = DemonstrationPlan.of(options)
    store = open_store(options)
    classes = store.classes
    if classes is None:
        raise DataError("Expected a store with class names; build it from labelled images.")
    plan.check(classes)
    manifest = read_images([photo])
    if len(manifest) != 1:
        raise UsageError(f"Name one photo: {photo} holds {len(manifest):,} images.")
    encoder = open_store_encoder(session, store, Dataset(manifest))
    metric = Metric.of(options.metric, store)
    scorer = LvlmScorer.of(session)
    query = _embed(session, manifest)
    suited = replace(manifest, prompts=store.prompts or manifest.prompts)
    texts = class_weights(session, suited, classes)
    finder = DemonstrationFinder(metric, plan, classes, encoder.fingerprint, texts)
    uri = manifest.uris[0]
    shown = _select_others(uri, query, finder, session.cache)
    builder = QuestionBuilder.of(options, finder)
    question = builder.ask(str(photo), uri, query, shown, texts @ query)
    turns = with_sources(question.turns, lambda uri: _source(uri, data_urls=options.data_urls))
    names = classes.names
    votes = voted(shown, len(classes))
    answers = None
    if scorer is not None:
        pairs = zip(question.labels, scorer.scores(question)[0].tolist(), strict=True)
        scored = [{"name": names[label], "log_probability": score} for label, score in pairs]
        answers = sorted(scored, key=lambda row: -row["log_probability"])
    run = DemosRun(
        folder=None,
        done=1,
        skipped=0,
        photo=str(photo),
        demonstrations=[
            {"id": one.id, "name": names[one.label], "similarity": one.similarity, "uri": one.uri}
            for one in in_order(shown, options.order)
        ],
        messages=CHATS[options.chat](turns),
        candidates=[names[label] for label in question.labels],
        vote=names[int(votes.argmax())] if shown else None,
        answers=answers,
    )
    if options.output is not None:
        text = json.dumps(run.to_json(), ensure_ascii=False, indent=2)
        with finished(options.output) as partial:
            partial.write_text(text + "\n", encoding="utf-8")
    return run


def _embed(session: Session[DemosOptions], manifest: Manifest) -> Float[Tensor, " d"]:
    def refuse(failure: Failure) -> None:
        raise ItemError(f"{failure.id} cannot be used: {failure.reason}")

    assert session.encoder is not None
    features = collect(manifest, session.encoder, session.kept, batch_size=1, on_failure=refuse)
    return torch.from_numpy(features.pooled[0])


def _select_others(
    uri: str, query: Float[Tensor, " d"], finder: DemonstrationFinder, cache: EmbeddingCache
) -> list[Demonstration]:
    """The demonstrations of a photo, without the photo itself, under whatever name.

    Only what was selected is compared, and selected again where the photo was among it: a store
    may hold a million images.
    """
    hidden: list[int] = []
    while True:
        shown = finder.select(query, hidden)
        contents = contents_of([uri, *(one.uri for one in shown)], cache)
        own = contents.get(uri)
        same = [one.id for one in shown if own is not None and contents.get(one.uri) == own]
        if not same:
            return shown
        hidden += finder.store.rows(same).tolist()


def _source(uri: str, *, data_urls: bool) -> str:
    """The image's path; a small copy in a data URL with `--data-urls`, or where it has no path."""
    if scheme_of(uri) is None and not data_urls:
        return uri
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(uri, SIDE)).decode()
