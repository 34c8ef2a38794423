"""Explanations by prototypes, and whole heads of them, as pages."""

import io
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from PIL import Image

from clipfg.encoders import Encoder
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import ItemError
from clipfg.explaining.overlay import png
from clipfg.pages import image_source, render
from clipfg.workflows.prototypes.explain import PrototypeExplanation
from clipfg.workflows.prototypes.saved import PrototypeHead
from clipfg.workflows.run_folder import RunFolder, file_name

PAGE = "explain.html"
STRIP = 4
"""Training patches that a page shows of a prototype."""

NOTES = (
    "A prototype is a thing that patches show. How much of it a photo shows (presence) times what"
    " that speaks for the class (weight) is its evidence, and evidence adds up to the answer."
    " Nothing else counts, and nothing speaks against a class.",
    "Under each prototype are the patches of training images that show it most. Where these have"
    " nothing in common, the prototype means nothing to a person. Switch it off by --without.",
    "Patches of deep encoders see more than their own square, so that a prototype may fire beside"
    " what it means: compare with the map of the linear head (CAM) and that of the class's text.",
)


def write_explanations(
    folder: RunFolder,
    explained: Sequence[PrototypeExplanation],
    known: PrototypeHead,
    encoder: Encoder,
) -> list[dict[str, Any]]:
    """Write a PNG for each prototype and the page; returns a row for each prototype."""
    rows: list[dict[str, Any]] = []
    photos: list[dict[str, Any]] = []
    strips = Strips(known, encoder.preprocessing)
    for number, one in enumerate(explained, start=1):
        files, panels = [], []
        for speaker in one.speakers:
            picture = one.picture(speaker.map)
            name = f"{number:02d}-{file_name(one.answers[0][0])[:48]}-{speaker.number}.png"
            folder.part(name).write_bytes(png(picture))
            files.append(name)
            panels.append(
                {
                    "title": f"prototype {speaker.number}",
                    "source": _source(picture),
                    "text": f"evidence {speaker.presence * speaker.weight:.2f} ="
                    f" {speaker.presence:.2f} present × {speaker.weight:.2f}",
                    "strip": strips.add(speaker.number),
                }
            )
        rows += one.rows(files)
        photos.append(_photo(one, panels))
    facts = [
        ("model", encoder.name),
        ("classes", f"{len(known.classes):,}"),
        ("head", known.head.remarks[0]),
    ]
    title = photos[0]["title"] if len(photos) == 1 else "The prototypes that speak for answers"
    page = render(
        "prototypes.html",
        title=title,
        kicker="clipfg explain --method prototypes",
        lead="",
        facts=facts,
        notes=NOTES,
        photos=photos,
        strips=strips.sources,
    )
    folder.write_text(PAGE, page)
    return rows


def _photo(one: PrototypeExplanation, panels: list[dict[str, Any]]) -> dict[str, Any]:
    name = one.answers[0][0]
    beside = [("CAM", f"a linear head on the mean patch, which answers {one.linear}", one.cam)]
    if one.dense is not None:
        beside.append(("text", "patches like the text of the class", one.dense))
    return {
        "title": one.id.rsplit("/", 1)[-1],
        "name": name,
        "label": one.label,
        "source": _source(one.image),
        "answers": [
            {"name": each, "share": share, "side": "for" if each == name else ""}
            for each, share in one.answers
        ],
        "panels": panels,
        "beside": [
            {"title": title, "text": text, "source": _source(one.picture(map_))}
            for title, text, map_ in beside
        ],
    }


def render_head(
    known: PrototypeHead,
    preprocessing: Preprocessing,
    remarks: Sequence[str],
    parts: dict[int, tuple[str, float]],
) -> str:
    """The page of a whole head: class by class the prototypes that speak for it."""
    strips = Strips(known, preprocessing)
    classes = []
    speaks = (known.head.weights_ > 0).sum(dim=0).tolist()
    for name, weights in zip(known.classes.names, known.head.weights_, strict=True):
        chosen = []
        for number in strongest(weights):
            part = parts.get(number)
            chosen.append(
                {
                    "number": number,
                    "weight": float(weights[number]),
                    "share": float(weights[number] / known.head.weights_.max()),
                    "strip": strips.add(number),
                    "text": _others(speaks[number] - 1),
                    "part": f"{part[0]} {part[1]:.0%}" if part and part[0] else "",
                }
            )
        classes.append({"name": name, "prototypes": chosen})
    return render(
        "prototype_head.html",
        title="Prototypes, class by class",
        kicker="clipfg heads show",
        lead=" ".join(remarks),
        facts=[("model", known.saved.model), ("classes", f"{len(classes):,}")],
        notes=NOTES[1:],
        classes=classes,
        strips=strips.sources,
    )


def _others(count: int) -> str:
    if not count:
        return "for no other class"
    return f"also for {count:,} other class{'es' if count > 1 else ''}"


def strongest(weights: Any) -> list[int]:
    """The prototypes of a class, the strongest first."""
    order: list[int] = weights.argsort(descending=True, stable=True).tolist()
    return order[: int((weights > 0).sum())]


class Strips:
    """Pictures of the training patches of prototypes, each once on a page, as a style of its own.

    `sources` are data URLs by number.
    """

    def __init__(self, known: PrototypeHead, preprocessing: Preprocessing) -> None:
        self._known, self._preprocessing = known, preprocessing
        self.sources: dict[int, str] = {}

    def add(self, number: int) -> bool:
        """Whether there is a picture of a prototype, which is drawn the first time."""
        if number not in self.sources:
            pictures = list(self._pictures(number))
            self.sources[number] = _source(_joined(pictures)) if pictures else ""
        return bool(self.sources[number])

    def _pictures(self, number: int) -> Iterable[Image.Image]:
        head = self._known.head
        for image, patch in head.examples_[number, :STRIP].tolist():
            with suppress(ItemError):  # the image has gone
                yield self._known.examples.picture(image, patch, self._preprocessing)


def _joined(pictures: list[Image.Image]) -> Image.Image:
    side = max(max(picture.size) for picture in pictures)
    strip = Image.new("RGB", (STRIP * (side + 4) - 4, side), "white")
    for at, picture in enumerate(pictures):
        strip.paste(picture, (at * (side + 4), 0))
    return strip


def _source(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=85)
    return image_source(buffer.getvalue())
