"""What is found out about one photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from clipfg.explaining.faithfulness import Faithfulness
from clipfg.explaining.overlay import AGAINST, FOR, Colour, overlay
from clipfg.explaining.placement import Placement

Kind = Literal["class", "difference", "phrase"]


@dataclass(frozen=True)
class SeenText:
    """Where one text is seen: a class, a phrase of it, or a class more than another.

    `side` is 0 for the first class and what belongs to it, 1 for the second. `score` is the cosine
    of the whole photo with the text; of a difference, that with the first class less that with the
    second.
    """

    text: str
    kind: Kind
    side: int
    score: float
    map: Float[Tensor, "rows cols"]
    faithfulness: Faithfulness

    @property
    def colour(self) -> Colour | Literal["both"]:
        """What colour it has on pages."""
        return "both" if self.kind == "difference" else (FOR, AGAINST)[self.side]


@dataclass(frozen=True)
class Phrase:
    """A phrase that describes a class, with its cosine with the whole photo.

    `lead` is that less the mean cosine of the other class's phrases: above 0 it speaks for its own
    class. None where the other class has no phrases.
    """

    text: str
    score: float
    lead: float | None


@dataclass(frozen=True)
class Explanation:
    """Two classes compared on one photo.

    `answers` are the likeliest classes and the two compared, with their probabilities, the
    likeliest first; `label` is the true class, where known. `phrases` are those of each side, the
    strongest first. `image` is the photo as pages show it, and `placement` where the cells of maps
    lie in it.
    """

    id: str
    uri: str
    label: str | None
    sides: tuple[str, str]
    answers: tuple[tuple[str, float], ...]
    seen: tuple[SeenText, ...]
    phrases: tuple[tuple[Phrase, ...], tuple[Phrase, ...]]
    image: Image.Image
    placement: Placement

    def picture(self, seen: SeenText) -> Image.Image:
        """The photo under one of its maps."""
        values, inside = self.placement.spread(seen.map, self.image.size)
        return overlay(self.image, values, inside, colour=seen.colour)

    def row(self, seen: SeenText, file: str) -> dict[str, Any]:
        """One map in figures; `x` and `y` are its highest place in pixels of the upright photo."""
        x, y = self.placement.peak(seen.map)
        gain = seen.faithfulness.gain
        return {
            "photo": self.id,
            "kind": seen.kind,
            "text": seen.text,
            "side": self.sides[seen.side],
            "probability": dict(self.answers).get(seen.text) if seen.kind == "class" else None,
            "score": seen.score,
            "gain": gain.value,
            "gain_low": gain.low,
            "gain_high": gain.high,
            "verdict": seen.faithfulness.verdict,
            "x": x,
            "y": y,
            "file": file,
        }

    def to_json(self, files: Sequence[str]) -> dict[str, Any]:
        """Everything but the pictures, as plain values; `files` has theirs."""
        return {
            "photo": self.id,
            "uri": self.uri,
            "label": self.label,
            "width": self.placement.width,
            "height": self.placement.height,
            "window": list(self.placement.window),
            "answers": [{"name": name, "probability": share} for name, share in self.answers],
            "for": self.sides[0],
            "vs": self.sides[1],
            "maps": [
                self.row(seen, file)
                | {
                    "map": seen.map.tolist(),
                    "deletion": seen.faithfulness.deletion,
                    "insertion": seen.faithfulness.insertion,
                    "random": seen.faithfulness.random,
                }
                for seen, file in zip(self.seen, files, strict=True)
            ],
            "phrases": [
                {"class": name, "text": phrase.text, "score": phrase.score, "lead": phrase.lead}
                for name, phrases in zip(self.sides, self.phrases, strict=True)
                for phrase in phrases
            ],
        }
