"""Explains photos one by one, with an encoder, a method and the texts of classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.data.images.decoding import decode, full_size
from clipfg.data.images.thumbnails import shrunk
from clipfg.data.sources import read
from clipfg.encoders import Encoder
from clipfg.explaining.faithfulness import measure_faithfulness
from clipfg.explaining.methods import Method
from clipfg.explaining.placement import Placement
from clipfg.functional.similarity import probabilities, top_classes
from clipfg.heads.zero_shot import ZeroShot
from clipfg.types import ClassList
from clipfg.workflows.explain.explanation import Explanation, Kind, Phrase, SeenText
from clipfg.workflows.explain.phrases import Phrases

TOP = 5
"""Classes whose probabilities are shown."""
MAPPED = 3
"""Phrases of each side that get a map."""
SIDE = 512
"""The longer side of pictures in pixels."""

Pair = tuple[int, int]


@dataclass(frozen=True)
class Explainer:
    """What explaining one photo takes.

    `head` has the text weights of `classes`. The score that maps are measured on is the cosine,
    which the encoder's probabilities are made of.
    """

    encoder: Encoder
    method: Method
    classes: ClassList
    head: ZeroShot
    phrases: Phrases
    batch_size: int = 32
    seed: int = 0

    def top_pair(self, feature: Float[Tensor, " d"]) -> Pair:
        """The two likeliest classes of a photo."""
        first, second = top_classes(self.head.logits(feature[None]), 2)[0].tolist()
        return first, second

    def explain(
        self,
        id_: str,
        uri: str,
        feature: Float[Tensor, " d"],
        pair: Pair,
        label: int | None = None,
    ) -> Explanation:
        """Compare two classes on the photo at `uri`, whose unit-norm feature is at hand.

        Raises `ItemError` for a photo that cannot be read, `UsageError` for a tower that the method
        cannot look into.
        """
        preprocessing = self.encoder.preprocessing
        image = decode(read(uri), preprocessing.target)
        pixels = preprocessing(image)
        sides = (self.classes.names[pair[0]], self.classes.names[pair[1]])
        told = self._told(feature, sides)
        seen = self._look(pixels, feature, pair, told)
        grid = (seen[0].map.shape[0], seen[0].map.shape[1])
        return Explanation(
            id=id_,
            uri=uri,
            label=None if label is None else self.classes.names[label],
            sides=sides,
            answers=self._answers(feature, pair),
            seen=seen,
            phrases=told,
            image=shrunk(uri, SIDE),
            placement=Placement.of(preprocessing, full_size(image), grid),
        )

    def _look(
        self,
        pixels: UInt8[Tensor, "3 h w"],
        feature: Float[Tensor, " d"],
        pair: Pair,
        told: tuple[tuple[Phrase, ...], ...],
    ) -> tuple[SeenText, ...]:
        """Both classes, their strongest phrases, and the difference of the two if there is any."""
        mapped = [(one.text, side) for side in (0, 1) for one in told[side][:MAPPED]]
        named: list[tuple[str, Kind, int]] = [
            *((self.classes.names[one], "class", side) for side, one in enumerate(pair)),
            *((text, "phrase", side) for text, side in mapped),
        ]
        weights = normalize(self.head.weights_[list(pair)], dim=1)
        texts = torch.cat([weights, self.phrases.features([text for text, _ in mapped])])
        maps = self.method(self.encoder, pixels[None], texts)[0]
        combined = torch.eye(len(texts))
        if not torch.equal(maps[0], maps[1]):
            named.append((f"{named[0][0]} rather than {named[1][0]}", "difference", 0))
            maps = torch.cat([maps, maps[:1] - maps[1:2]])
            combined = torch.cat([combined, combined[:1] - combined[1:2]])

        def score(pixels: Tensor) -> Tensor:
            return normalize(self.encoder.encode_images(pixels).pooled.cpu(), dim=1) @ texts.T

        faithful = measure_faithfulness(
            pixels, maps, score, combined, seed=self.seed, batch_size=self.batch_size
        )
        cosines = (combined @ (texts @ feature)).tolist()
        return tuple(
            SeenText(*name, cosine, map_, how)
            for name, cosine, map_, how in zip(named, cosines, maps, faithful, strict=True)
        )

    def _answers(self, feature: Float[Tensor, " d"], pair: Pair) -> tuple[tuple[str, float], ...]:
        logits = self.head.logits(feature[None])
        shares = probabilities(logits, self.encoder.scoring)[0].tolist()
        best = top_classes(logits, min(TOP, len(self.classes)))[0].tolist()
        shown = sorted({*best, *pair}, key=lambda one: -shares[one])
        return tuple((self.classes.names[one], shares[one]) for one in shown)

    def _told(
        self, feature: Float[Tensor, " d"], names: tuple[str, str]
    ) -> tuple[tuple[Phrase, ...], tuple[Phrase, ...]]:
        """The phrases of each class that the other does not share, the strongest first."""
        texts = self.phrases.apart(*names)
        cosines = [self.phrases.features(side) @ feature for side in texts]
        first, second = (_ranked(*each) for each in zip(texts, cosines, cosines[::-1], strict=True))
        return first, second


def _ranked(
    texts: Sequence[str], cosines: Float[Tensor, " t"], others: Float[Tensor, " o"]
) -> tuple[Phrase, ...]:
    mean = float(others.mean()) if len(others) else None
    phrases = (
        Phrase(text, score, None if mean is None else score - mean)
        for text, score in zip(texts, cosines.tolist(), strict=True)
    )
    return tuple(sorted(phrases, key=lambda phrase: -phrase.score))
