"""A vision-language model that scores the answers to a question, and a cache of its scores."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.data.images.thumbnails import shrunk
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.content_hash import contents_of
from clipfg.errors import ItemError
from clipfg.icl import LVLM, Question
from clipfg.icl.prompts import sources, with_sources
from clipfg.workflows.icl.lvlm_files import open_lvlm
from clipfg.workflows.session import Session

SIDE = 768
"""The longer side, in pixels, of images that a vision-language model sees, at most."""

BELOW = 10.0
"""How far below the least likely candidate all other classes are scored."""


@dataclass(frozen=True)
class LvlmScorer:
    """Scores answers, and keeps the scores beside the embeddings.

    A question is recognised by its words, the content of its images and its answers, the model by
    its fingerprint: however a run ends, no question is asked twice.
    """

    lvlm: LVLM
    fingerprint: str
    cache: EmbeddingCache
    resume: bool = True

    @classmethod
    def of(cls, session: Session) -> Self | None:
        """The model of `--lvlm` on the encoder's device, or None. Raises as `open_lvlm` does."""
        options = session.options
        if options.lvlm is None:
            return None
        assert session.encoder is not None
        lvlm, fingerprint = open_lvlm(
            options.lvlm,
            session.encoder.device,
            session.cache,
            precision=options.precision,
            offline=options.offline,
        )
        return cls(lvlm, fingerprint, session.cache, options.resume)

    def scores(self, question: Question) -> tuple[Float[Tensor, " a"], bool]:
        """The mean log-probability per token of each answer, and whether it was cached.

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
