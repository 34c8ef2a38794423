"""What a language model is asked of one image, and its answers, kept between runs."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.data.images.thumbnails import shrunk
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.errors import ItemError
from clipfg.icl import LVLM, PromptWording, Question, ShownExample, ask_choice, ask_name, in_order
from clipfg.icl.prompts import sources, with_sources
from clipfg.icl.questions import draw_choices
from clipfg.icl.selection import Order
from clipfg.types import ClassList
from clipfg.workflows.icl.demonstrations import (
    Demonstration,
    DemonstrationFinder,
    DemonstrationPlan,
)

SIDE = 768
"""Pixels that an image has at most on its longer side when a language model sees it."""

BELOW = 10.0
"""How far under the least likely candidate all other classes are scored."""


@dataclass(frozen=True)
class QuestionBuilder:
    """Makes the question about an image from its demonstrations."""

    demonstrator: DemonstrationFinder
    plan: DemonstrationPlan
    classes: ClassList
    wording: PromptWording
    order: Order
    seed: int

    def ask(
        self,
        identity: str,
        uri: str,
        query: Float[Tensor, " d"],
        shown: Sequence[Demonstration],
        zero_shot: Float[Tensor, " c"],
        truth: int | None = None,
    ) -> Question:
        """The question about the image `identity` at `uri`.

        A choice is among `truth` and others at random; where the truth is not known, among the
        classes that zero-shot puts first. What is random depends on the seed and the id alone.
        """
        examples = [ShownExample(one.uri, one.label) for one in in_order(shown, self.order)]
        names = self.classes.names
        if self.plan.choices is None:
            candidates = self._candidates(query, zero_shot)
            return ask_name(examples, uri, names, candidates, self.wording)
        digest = hashlib.blake2b(identity.encode(errors="surrogatepass"), digest_size=8).digest()
        seed = [self.seed, int.from_bytes(digest)]
        if truth is None:
            best = zero_shot.topk(self.plan.choices).indices.tolist()
            choices = np.random.default_rng(seed).permutation(best).tolist()
        else:
            choices = draw_choices(truth, len(names), self.plan.choices, seed)
        return ask_choice(examples, uri, names, choices, self.wording, seed)

    def _candidates(self, query: Tensor, zero_shot: Tensor) -> list[int]:
        """In the order of the class list, so that it says nothing of what is likely."""
        candidates = self.plan.candidates
        if candidates.by == "all":
            return list(range(len(self.classes)))
        count = min(candidates.count, len(self.classes))
        if candidates.by == "zero-shot":
            return sorted(zero_shot.topk(count).indices.tolist())
        return sorted(self.demonstrator.nearest_classes(query, count))


@dataclass(frozen=True)
class LvlmScorer:
    """Asks a language model, and keeps what it said beside the embeddings.

    A question is known again by its words, the content of its images and its answers, and the
    model by its fingerprint: whatever ends a run, no question is put twice.
    """

    lvlm: LVLM
    fingerprint: str
    cache: EmbeddingCache
    resume: bool = True

    def scores(self, question: Question) -> tuple[Float[Tensor, " a"], bool]:
        """The mean log-probability a token of each answer, and whether it was kept.

        Raises `ItemError` for an image that cannot be read, `DataError` as `LVLM.score` does.
        """
        key = self._key(question)
        kept = self.cache.get("texts", self.fingerprint, [key]) if self.resume else {}
        if key in kept:
            return torch.from_numpy(kept[key].copy()), True
        images = [shrunk(uri, SIDE) for uri in sources(question.turns)]
        scores = self.lvlm.score(question.turns, images, question.answers).normalised
        self.cache.put("texts", self.fingerprint, self.lvlm.name, {key: scores.numpy()})
        return scores, False

    def _key(self, question: Question) -> bytes:
        uris = sources(question.turns)
        contents = contents_of(uris, self.cache)
        if missing := [uri for uri in uris if uri not in contents]:
            raise ItemError(f"Expected an image that can be read: {missing[0]}.")
        said = with_sources(question.turns, lambda uri: contents[uri].hex())
        facts = [[[turn.role, *map(str, turn.parts)] for turn in said], question.answers, SIDE]
        return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).digest()


def over_classes(
    scores: Float[Tensor, " a"], labels: Sequence[int], classes: int
) -> Float[Tensor, " c"]:
    """Scores of candidates as scores of all classes: the others are `BELOW` the least of them."""
    spread = scores.new_full((classes,), float(scores.min()) - BELOW)
    spread[list(labels)] = scores
    return spread
