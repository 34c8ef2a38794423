"""Explanations as pictures, figures and one HTML page."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from clipfg.explaining import METHODS
from clipfg.explaining.faithfulness import ORDERS, Faithfulness, Verdict
from clipfg.explaining.overlay import png
from clipfg.pages import image_source, render
from clipfg.workflows.explain.explainer import Explainer
from clipfg.workflows.explain.explanation import Explanation, Phrase, SeenText
from clipfg.workflows.explain.phrases import HOW
from clipfg.workflows.run_folder import RunFolder, file_name

PAGE = "explain.html"
PHRASES = 8
"""Phrases of each side that the page lists; `results.json` has them all."""

SAYINGS: dict[Verdict, str] = {
    "faithful": "The score depends on what is marked.",
    "says nothing": "Says nothing: some random order does as well.",
    "misleading": "Misleading: the score depends more on the rest.",
}

NOTES = (
    "What a map marks was blurred step by step (deletion), and put back into a blurred photo"
    " (insertion). The score of a good map falls and rises sooner than in random order (grey). The"
    f" gain is the mean area between the two, in cosines; ± is that of the best of {ORDERS} random"
    " orders.",
    "Maps show where the encoder sees a text, not whether it is right. Colours are scaled to each"
    " map on its own. Striped parts of a photo were outside of what the encoder saw.",
    "Beside a phrase are its cosine with the whole photo and a bar: how much that is above or below"
    " the mean of the other class's phrases.",
)

Rows = list[dict[str, Any]]


def write_explanations(
    folder: RunFolder, explained: Sequence[Explanation], explainer: Explainer, method: str
) -> tuple[Rows, Rows]:
    """Write a PNG for each map and the page.

    Returns a row for each map (`Explanation.row`), and all that is known of each photo.
    """
    rows: Rows = []
    details: Rows = []
    photos: Rows = []
    for number, one in enumerate(explained, start=1):
        files, sources = [], []
        for place, seen in enumerate(one.seen, start=1):
            picture = one.picture(seen)
            files.append(f"{number:02d}-{place}-{file_name(seen.text)[:48]}.png")
            folder.part(files[-1]).write_bytes(png(picture))
            sources.append(_source(picture))
        rows += [one.row(seen, file) for seen, file in zip(one.seen, files, strict=True)]
        details.append(one.to_json(files))
        photos.append(_photo(one, sources))
    facts = [
        ("model", explainer.encoder.name),
        ("classes", f"{len(explainer.classes):,}"),
        ("method", f"{method}: {METHODS.summary(method)}"),
        ("phrases", explainer.phrases.prompts.name if any(p["told"] for p in photos) else ""),
    ]
    title = photos[0]["title"] if len(photos) == 1 else "Where it is seen"
    page = render(
        "explain.html",
        title=title,
        kicker="clipfg explain",
        lead="",
        facts=facts,
        notes=NOTES,
        photos=photos,
        how=HOW,
    )
    folder.write_text(PAGE, page)
    return rows, details


def _photo(one: Explanation, sources: Sequence[str]) -> dict[str, Any]:
    """A photo as the template takes it."""
    panels = [_panel(*each) for each in zip(one.seen, sources, strict=True)]
    by_kind = {
        kind: [p for p in panels if p["kind"] == kind] for kind in ("class", "difference", "phrase")
    }
    sides = [
        {
            "name": name,
            "phrases": [_bar(phrase, one) for phrase in phrases[:PHRASES]],
            "more": max(0, len(phrases) - PHRASES),
            "panels": [p for p in by_kind["phrase"] if p["side"] == side],
        }
        for side, (name, phrases) in enumerate(zip(one.sides, one.phrases, strict=True))
    ]
    return {
        "title": Path(one.id).name,
        "lead": f"{one.sides[0]} rather than {one.sides[1]}?",
        "label": one.label,
        "source": _source(one.image),
        "answers": [
            {"name": name, "share": share, "side": _side(name, one.sides)}
            for name, share in one.answers
        ],
        "panels": by_kind["class"] + by_kind["difference"],
        "same": not by_kind["difference"],
        "sides": sides,
        "told": any(one.phrases),
    }


def _side(name: str, sides: tuple[str, str]) -> str:
    return {sides[0]: "for", sides[1]: "vs"}.get(name, "")


def _bar(phrase: Phrase, one: Explanation) -> dict[str, Any]:
    """A phrase with its lead as a share of the largest on the photo."""
    leads = [abs(each.lead or 0.0) for side in one.phrases for each in side]
    reach = max(leads, default=0.0) or 1.0
    return {"text": phrase.text, "score": phrase.score, "lead": phrase.lead} | {
        "share": 0.0 if phrase.lead is None else phrase.lead / reach
    }


def _panel(seen: SeenText, source: str) -> dict[str, Any]:
    how = seen.faithfulness
    return {
        "kind": seen.kind,
        "side": seen.side,
        "text": seen.text,
        "source": source,
        "score": seen.score,
        "gain": how.gain.value,
        "reach": (how.gain.high - how.gain.low) / 2,
        "verdict": how.verdict,
        "saying": SAYINGS[how.verdict],
        "curves": _curves(how),
    }


def _curves(how: Faithfulness) -> list[dict[str, str]]:
    """Both pairs of curves as points of polylines, 100 wide and 40 high."""
    values = (*how.deletion, *how.insertion, *how.random)
    low, reach = min(values), max(max(values) - min(values), 1e-9)

    def points(curve: Sequence[float]) -> str:
        step = 100 / (len(curve) - 1)
        return " ".join(
            f"{at * step:.1f},{38 - 36 * (value - low) / reach:.1f}"
            for at, value in enumerate(curve)
        )

    return [
        {"name": "deletion", "own": points(how.deletion), "random": points(how.random)},
        {"name": "insertion", "own": points(how.insertion), "random": points(how.random[::-1])},
    ]


def _source(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=88)
    return image_source(buffer.getvalue())
