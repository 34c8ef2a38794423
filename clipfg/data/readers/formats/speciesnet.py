"""SpeciesNet's predictions: animals' boxes as MegaDetector has them, and a taxon for the picture.

A taxon is `uuid;class;order;family;genus;species;common name`, the narrowest that the model is sure
of. https://github.com/google/cameratrapai
"""

from pathlib import Path
from typing import Any

from clipfg.data.readers.boxes import BoxFormat
from clipfg.data.readers.formats.annotations import Annotations
from clipfg.data.readers.formats.form import Form, Sample
from clipfg.data.readers.formats.json_stream import entries
from clipfg.data.readers.formats.megadetector import ANIMAL, LEAST, NOTHING, PEOPLE, four
from clipfg.errors import DataError
from clipfg.types import Role


def read(path: Path) -> Annotations:
    """The animals that SpeciesNet found, with the common name of their taxon."""
    found = Annotations(
        "SpeciesNet's predictions", path, BoxFormat("xywh", "relative"), least=LEAST
    )
    found.roles = [Role("bbox", "an item a box"), Role("prediction", "class")]
    for key, value in entries(path):
        if key == "predictions":
            _add(found, value, path)
    if found.classes:
        found.doubts.append("The labels are SpeciesNet's answers, no person's.")
    return found


def _add(found: Annotations, value: Any, path: Path) -> None:
    name = value.get("filepath") if isinstance(value, dict) else None
    if not isinstance(name, str):
        raise DataError(f"Expected a 'filepath' in each prediction of {path}, got {value!r:.80}.")
    detections = value.get("detections")
    if detections is None:
        found.fail(name, "the detector failed on it")
        return
    picture = found.picture(name)
    label = _taxon(value.get("prediction"))
    for one in detections:
        what = str(one.get("label", ANIMAL)).strip().lower()
        if what != ANIMAL:
            found.leave(name, f"{what}, no animal")
            continue
        found.add(picture, label, four(one.get("bbox"), found), float(one.get("conf") or 0))


def _taxon(prediction: Any) -> str | None:
    """The common name of a taxon, else its narrowest scientific one; None for no animal's."""
    parts = [part.strip() for part in str(prediction or "").split(";")]
    genus_species = " ".join(part for part in parts[-3:-1] if part)
    names = [parts[-1], genus_species, *reversed(parts[1:-3])]
    name = next((name for name in names if name), "")
    return None if not name or name.lower() in PEOPLE | NOTHING | {ANIMAL} else name


def _is_speciesnet(sample: Sample) -> bool:
    first = sample.keys.get("predictions")
    return isinstance(first, dict) and "filepath" in first


FORM = Form("SpeciesNet JSON", _is_speciesnet, read, detections=True)
