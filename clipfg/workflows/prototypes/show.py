"""The whole head: class by class its prototypes, and on data what each is worth."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from clipfg.data import synthflora
from clipfg.data.images.decoding import decode, full_size
from clipfg.data.sources import read
from clipfg.embedding.pipeline import PATCHES
from clipfg.encoders import load_encoder
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import DataError, UsageError
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.evaluation.statistics.paired import compare
from clipfg.heads import FeatureSets
from clipfg.heads.patch_prototypes import PatchPrototypes
from clipfg.options import HeadShowOptions
from clipfg.types import Estimate
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.pool import FeaturePool, in_blocks
from clipfg.workflows.prototypes.figures import Parts, Purity, known_parts
from clipfg.workflows.prototypes.page import render_head, strongest
from clipfg.workflows.prototypes.saved import PrototypeHead, parse_without
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

PAGE = "prototypes.html"


@dataclass(frozen=True)
class ShownHead(Run):
    """A head that was drawn: its page, and sentences on it, the first on the head alone."""

    page: Path
    remarks: tuple[str, ...]
    table: list[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        """A row per class and prototype."""
        return self.table


def run_show(session: Session[HeadShowOptions], path: Path) -> ShownHead:
    """Draw a saved head of patch prototypes, or some of its classes; with `--dataset`, measure it.

    Raises `ClipfgError`s.
    """
    options = session.options
    least = 1 if options.dataset is None else 2  # one class can be drawn and not be measured
    known = PrototypeHead.load(path).within(options.within, least)
    whole = known.head
    if options.without is not None:
        left = whole.without(parse_without(options.without))
        known = replace(known, head=left)
    remarks, purity = [*known.head.remarks], None
    if options.dataset is not None:
        data = _open(session, known)
        pool = session.pool(data)
        remarks += _accuracies(known, whole, pool, data)
        purity = _purity(known.head, pool, data, session)
        if purity is not None:
            remarks.append(
                f"Of the places that show a prototype most, {purity.mean:.0%} lie in the part that"
                f" most of them lie in (random places: {purity.chance:.0%})."
            )
        preprocessing = _preprocessing(session)
    else:
        if not known.saved.model:
            raise UsageError(
                f"Expected a head that knows its encoder, {path} was learnt from features alone;"
                " name it by --model."
            )
        encoder = load_encoder(options.model or known.saved.model, offline=options.offline)
        preprocessing = encoder.preprocessing
    for remark in remarks:
        logger.info(remark)
    table = _table(known, {} if purity is None else purity.parts)
    with session.run_folder(Path(path).stem, head=str(path)) as folder:
        page = render_head(known, preprocessing, remarks, {} if purity is None else purity.parts)
        folder.write_text(PAGE, page)
        folder.results = {"remarks": remarks, "prototypes": table}
    done = len(known.classes)
    return ShownHead(
        folder.path, done, len(session.failures), folder.path / PAGE, tuple(remarks), table
    )


def _open(session: Session[HeadShowOptions], known: PrototypeHead) -> Dataset:
    data = session.dataset().labelled()
    encoder = session.open_encoder(data, like=known.saved)
    known.saved.check_encoder(encoder.fingerprint, encoder.dim)
    session.dense = PATCHES
    shared = set(known.classes.names) & set(data.classes.names)
    if not shared:
        raise DataError(
            f"Expected images of the head's classes, {data.name} has none of them: the head knows"
            f" {known.classes.names[0]!r}, the data {data.classes.names[0]!r}."
        )
    names = data.classes.names
    kept = [row for row, label in enumerate(data.manifest.labels) if names[label] in shared]
    return data.rows(torch.tensor(kept).numpy())


def _accuracies(
    known: PrototypeHead, whole: PatchPrototypes, pool: FeaturePool, data: Dataset
) -> list[str]:
    """What the head, what is left of it, and the linear head have right."""
    places = torch.tensor([_index(known, name) for name in data.classes.names])
    labels = places[torch.from_numpy(pool.labels)]
    patches = pool.patches
    assert patches is not None

    def hits(head: PatchPrototypes, how: str = "logits") -> Any:
        blocks = list(in_blocks(patches, getattr(head, how)))
        return (torch.cat(blocks).argmax(dim=1) == labels).numpy()

    right, linear = hits(whole), hits(whole, "linear_logits")
    gap = compare(linear, right).difference
    found = [
        f"Top-1 {_percent(proportion(int(right.sum()), len(right)))} on {len(right):,} images of"
        f" {data.name}; a linear head on the same patches {100 * linear.mean():.1f}%"
        f" ({_points(gap)}).",
        _spoken(known.head, patches),
    ]
    if known.head.off_ != whole.off_:
        left = hits(known.head)
        off = ", ".join(map(str, known.head.off_))
        changed = compare(right, left).difference
        found.insert(1, f"Without {off}: top-1 {100 * left.mean():.1f}% ({_points(changed)}).")
    return found


def _index(known: PrototypeHead, name: str) -> int:
    return known.classes.index(name) if name in known.classes else -1


def _spoken(head: PatchPrototypes, patches: FeatureSets) -> str:
    """How many prototypes speak for the answer on an image."""
    counts: Counter[int] = Counter()
    for block in patches.split(256):
        presence = head.presences(block)
        answer = (presence @ head.weights_.T).argmax(dim=1)
        speaking = ((presence * head.weights_[answer]) > 0).sum(dim=1)
        counts.update(speaking.tolist())
    middle = sorted(counts.elements())[counts.total() // 2]
    return f"{middle} prototypes speak for the answer on an image (median)."


def _percent(share: Estimate) -> str:
    return f"{100 * share.value:.1f}% ({100 * share.low:.1f} to {100 * share.high:.1f})"


def _points(gap: Estimate) -> str:
    return f"{100 * gap.value:+.1f} points, {100 * gap.low:+.1f} to {100 * gap.high:+.1f}"


def _purity(
    head: PatchPrototypes, pool: FeaturePool, data: Dataset, session: Session[HeadShowOptions]
) -> Purity | None:
    """Of prototypes on parts with boxes and phrases; None where the data have none."""
    manifest = data.manifest
    if manifest.uris[0].startswith("synthflora:"):
        manifest = synthflora.with_regions(manifest)
    regions = manifest.column("regions")
    if regions is None or pool.patches is None or pool.patches.grids is None:
        return None
    own = dict(zip(manifest.ids, regions, strict=True))
    parts: list[Parts] = []
    preprocessing = _preprocessing(session)
    for row, identity in enumerate(pool.ids):
        rows, columns = pool.patches.grids[row].tolist()
        size = _size(pool.uris[row], preprocessing)
        parts.append(known_parts(own[identity], size, (rows, columns), preprocessing))
    return Purity.of(head, pool.patches, parts, session.options.seed) if any(parts) else None


def _size(uri: str, preprocessing: Preprocessing) -> tuple[int, int]:
    if uri.startswith("synthflora:"):  # drawn in one size
        return synthflora.IMAGE_SIZE, synthflora.IMAGE_SIZE
    image: Image.Image = decode(read(uri), preprocessing.target)
    return full_size(image)


def _preprocessing(session: Session[HeadShowOptions]) -> Preprocessing:
    assert session.encoder is not None
    return session.encoder.preprocessing


def _table(known: PrototypeHead, parts: dict[int, tuple[str, float]]) -> list[dict[str, Any]]:
    speaks = (known.head.weights_ > 0).sum(dim=0).tolist()
    rows = []
    for name, weights in zip(known.classes.names, known.head.weights_, strict=True):
        for number in strongest(weights):
            part, share = parts.get(number, ("", None))
            rows.append(
                {
                    "class": name,
                    "prototype": number,
                    "weight": float(weights[number]),
                    "classes": speaks[number],
                    "part": part,
                    "purity": share,
                    "examples": _examples(known, number),
                }
            )
    return rows


def _examples(known: PrototypeHead, number: int) -> list[str]:
    """The training images that show a prototype most."""
    found, images = known.examples, known.head.examples_[number, :, 0]
    return [found.uris[found.numbers.index(image)] for image in images.tolist()]


def by_class(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per class for a person: its prototypes with their weights."""
    found: dict[str, list[str]] = {}
    for row in rows:
        part = f" {row['part']}" if row["part"] else ""
        found.setdefault(row["class"], []).append(f"{row['prototype']}{part} ({row['weight']:.2f})")
    return [{"class": name, "prototypes": ", ".join(each)} for name, each in found.items()]
