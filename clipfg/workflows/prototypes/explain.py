"""The prototypes that speak for the answer on a photo, and where they fire."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.data.images.decoding import decode, full_size
from clipfg.data.images.thumbnails import shrunk
from clipfg.data.sources import read
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.explaining.overlay import overlay
from clipfg.explaining.placement import Placement
from clipfg.functional.similarity import top_classes
from clipfg.heads import FeatureSets
from clipfg.workflows.prototypes.saved import PrototypeHead

TOP = 5
"""Classes whose probabilities are shown."""
SPEAKERS = 10
"""Prototypes of an answer that are shown at most."""
SIDE = 512


@dataclass(frozen=True)
class Speaker:
    """A prototype that speaks for the answer by `presence * weight`; `map` are its scores."""

    number: int
    presence: float
    weight: float
    map: Float[Tensor, "rows cols"]


@dataclass(frozen=True)
class PrototypeExplanation:
    """Why a photo has its answer.

    `answers` are the likeliest classes with their probabilities, the likeliest first. `cam` is
    where the linear head on the same patches sees the answer, `dense` where its text is seen, None
    without texts. `linear` is what that linear head answers.
    """

    id: str
    label: str | None
    answers: tuple[tuple[str, float], ...]
    speakers: tuple[Speaker, ...]
    linear: str
    cam: Float[Tensor, "rows cols"]
    dense: Float[Tensor, "rows cols"] | None
    image: Image.Image
    placement: Placement

    def picture(self, map_: Float[Tensor, "rows cols"]) -> Image.Image:
        """The photo under a map."""
        values, inside = self.placement.spread(map_, self.image.size)
        return overlay(self.image, values, inside)

    def rows(self, files: Sequence[str]) -> list[dict[str, Any]]:
        """A row for each prototype; `x` and `y` are where it fires most, in pixels of the photo."""
        name, share = self.answers[0]
        rows = []
        for one, file in zip(self.speakers, files, strict=False):
            x, y = self.placement.peak(one.map)
            rows.append(
                {
                    "photo": self.id,
                    "answer": name,
                    "probability": share,
                    "prototype": one.number,
                    "presence": one.presence,
                    "weight": one.weight,
                    "evidence": one.presence * one.weight,
                    "x": x,
                    "y": y,
                    "file": file,
                }
            )
        return rows


def explain_photo(
    known: PrototypeHead,
    preprocessing: Preprocessing,
    photo: tuple[str, str, str | None],
    patches: FeatureSets,
    texts: Float[Tensor, "c d"] | None,
) -> PrototypeExplanation:
    """Explain the answer on one photo: its id, its address and, where it is known, its class.

    `texts` are a feature for each class. Raises `ItemError` for a photo that cannot be read.
    """
    identity, uri, label = photo
    head, names = known.head, known.classes.names
    assert patches.grids is not None
    grid = (int(patches.grids[0, 0]), int(patches.grids[0, 1]))
    probabilities = known.probabilities(patches)
    best = top_classes(probabilities, min(TOP, len(names)))[0].tolist()
    shares = probabilities[0, best].tolist()
    answer = best[0]
    linear = int(head.linear_logits(patches)[0].argmax())
    rows = patches.rows.float()
    size = full_size(decode(read(uri), preprocessing.target))
    return PrototypeExplanation(
        id=identity,
        label=label,
        answers=tuple((names[one], share) for one, share in zip(best, shares, strict=True)),
        speakers=_speakers(known, patches, answer, grid),
        linear=names[linear],
        cam=(rows @ head.linear_[answer]).unflatten(0, grid),
        dense=None
        if texts is None
        else (normalize(rows, dim=1) @ texts[answer]).unflatten(0, grid),
        image=shrunk(uri, SIDE),
        placement=Placement.of(preprocessing, size, grid),
    )


def _speakers(
    known: PrototypeHead, patches: FeatureSets, answer: int, grid: tuple[int, int]
) -> tuple[Speaker, ...]:
    presence = known.head.presences(patches)[0]
    weights = known.head.weights_[answer]
    evidence = presence * weights
    scores = known.head.scores(patches)
    order = evidence.argsort(descending=True)[:SPEAKERS].tolist()
    return tuple(
        Speaker(at, float(presence[at]), float(weights[at]), scores[:, at].unflatten(0, grid))
        for at in order
        if evidence[at] > 0
    )
