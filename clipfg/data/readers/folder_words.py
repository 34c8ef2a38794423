"""What the names of folders say: words that are no class, and forms of splits, years and places."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from clipfg.data.readers.labels import split_name


def _listed(text: str) -> frozenset[str]:
    return frozenset(" ".join(part.split()) for part in text.split(","))


HOLDERS = _listed("""
    images, image, img, imgs, pictures, pics, photos, photo, jpg, jpeg, png, jpgs, jpegs,
    jpegimages, pngimages, frames, data, dataset, datasets, raw, media, upload, uploads, files,
    input, inputs, content, archive, original, originals, all, full, root, dcim, classes, by class,
    byclass, imagefolder, image folder, cropped, crops, resized, unzipped, extracted, samples,
    images jpg, object categories, labelled, labeled, sorted, by species, by label, categories
""")
"""Folders that hold pictures and say nothing of them: never a class."""

BESIDE = _listed("""
    masks, labels, annotations, annotation, annots, annos, segmentation, trimaps, segmentations,
    segmentationclass, segmentationobject, segmentation masks, gt, thumbnails, thumbs, thumb,
    previews, runs, bboxes, bounding boxes, xml, json, xmls, groundtruth, ground truth, heatmaps,
    visualizations, visualisations, plots, figures, charts, checkpoints, logs, docs, imagesets,
    meta, metadata, crops, results, output, outputs, cache, scripts, trash, deleted, backup,
    backups, tmp, temp, rejected, discarded, duplicates
""")
"""Folders of what was made from pictures: never a class, and left out beside the pictures."""

MASKS = _listed(
    "mask, masks, gt, segmentation, segmentations, trimaps, annotations, bboxes, heatmaps"
)
"""Of these, what stands after a class's name for what was made from its pictures."""

UNSORTED = _listed("""
    unlabeled, unlabelled, no label, nolabel, unsorted, unannotated, untagged, unclassified,
    unassigned, to label, to sort, todo, without label, not labeled, not labelled, unlabeled images,
    unlabelled images, unlabeled data
""")
"""Folders of pictures whose class nobody has said."""

ANSWERS = _listed("""
    pred, predict, prediction, predictions, inference, submission, unlabeled, unlabelled
""")
"""Folders beside splits whose pictures are to be classified."""

SETS = _listed("""
    query, gallery, probe, reference, support, seen, unseen, source, target, base, novel, holdout
""")
"""Parts of the data of certain tasks: splits where all hold the same classes."""

VARIANTS = _listed("""
    color, colour, rgb, grayscale, greyscale, gray, grey, segmented, masked, original, originals,
    augmented, augmentation, resized, cropped, crops, raw, processed, preprocessed, normalized,
    normalised, enhanced, denoised, blurred
""")
"""Folders each of which holds the same pictures in another form."""

SPLIT_VARIANTS = VARIANTS | _listed("aug, augm, augs, small, mini, tiny, resize, crop")
"""Words of another form, or a part, of the split that a folder is called after: `train_aug`."""

DOMAINS = _listed("""
    amazon, dslr, webcam, caltech, art, clipart, product, real world, cartoon, sketch, photo,
    photos, art painting, painting, quickdraw, infograph, real, field, lab, herbarium, synthetic
""")
"""Kinds of pictures that sets for domain adaptation have above the same classes."""

TRAITS = _listed("""
    male, female, males, females, adult, adults, juvenile, juveniles, immature, larva, pupa, day,
    night, daytime, nighttime, ir, infrared, dorsal, ventral, lateral, front, back, side, top,
    bottom, left, right, spring, summer, autumn, fall, winter, flying, perched, indoor, outdoor,
    morning, evening, north, south, east, west, breeding, nonbreeding, old,
    new, young, extra, more, misc, other, others, edited, selected, best
""")
"""What is said of pictures below a class, and makes no class of its own."""

_PLACES = (
    r"site|station|loc|location|cam|camera|ct|trap|deployment|plot|transect|area|region|zone|field"
    r"|farm|individual|indiv|ind|id|subject|person|animal|specimen|patient|case|plant|tree|session"
    r"|sess|seq|sequence|burst|event|visit|trip|survey|video|vid|clip|scene|shot|day|week|month"
    r"|flight|mission|drone|dive|quadrat|plate|tray|drawer|slide|experiment|exp|replicate|rep"
    r"|batch|part|chunk|group|folder|dir|sub|subset|photographer|user|observer|roll|card|disk|set"
)
_MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
GROUP = re.compile(
    rf"(?:{_PLACES})s?\s?[a-z]?\d+[a-z]?|(?:{_PLACES}) [a-z]"
    r"|(?:19|20)\d\d|(?:19|20)\d\d \d\d?(?: \d\d?)?|\d\d? \d\d? (?:19|20)\d\d|(?:19|20)\d{6}"
    rf"|\d+x|{_MONTHS}(?: ?(?:19|20)?\d\d)?|(?:19|20)\d\d (?:\d\d )?{_MONTHS}"
    r"|1\d\d ?(?:canon|nikon|olymp|pana|msdcf|apple|gopro|media|fuji|recnx|eos\w*)"
)
"""Years, dates, places, individuals, magnifications, cards of cameras: groups of pictures, in
`words` form."""

FOLD = re.compile(r"(?:fold|cv|split|partition)[\s-]?\d+")
WELL = re.compile(r"[A-P]\d{1,2}", re.IGNORECASE)
"""Wells of a plate: no classes below groups."""

BUCKET = re.compile(r"[0-9a-f]{1,3}", re.IGNORECASE)
"""Folders over which pictures are spread by the first letters of an id."""

CODE = re.compile(r"[ncv]?\d+")
"""Numbers, and synset ids such as n01440764: they name a class for a machine."""

_FILLERS = HOLDERS | _listed(
    "set, split, dir, folder, mini, small, final, clean, subset, a, b, a, b"
)


@lru_cache(maxsize=1 << 16)
def words(name: str) -> str:
    """A folder's name as words in lower case: `JPEG_Images-2` and `jpegImages 2` alike."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


def is_holder(name: str) -> bool:
    """Whether a folder of this name holds pictures and says nothing of them: `images_001`."""
    text = re.sub(r"\s?\d*$", "", words(name))
    parts = text.split()
    held = any(part in HOLDERS for part in parts)
    return text in HOLDERS or (held and all(p in HOLDERS or p.isdecimal() for p in parts))


def is_part(name: str) -> bool:
    """Whether the name says that the folder is one of several pieces: `HAM10000_images_part_1`."""
    return (
        re.search(
            r"(?:^| )(?:part|images|batch|chunk|shard|volume|vol|disk|folder) ?\d+$", words(name)
        )
        is not None
    )


def is_group(name: str) -> bool:
    """Whether the name is that of a year, date, place or individual."""
    return GROUP.fullmatch(words(name)) is not None


def says_little(name: str) -> bool:
    """Whether a folder below a class is none of its own by its name alone."""
    return words(name) in TRAITS or is_holder(name) or is_group(name)


def is_code(name: str) -> bool:
    """Whether the name is a number or a synset id."""
    return CODE.fullmatch(words(name).replace(" ", "")) is not None


@lru_cache(maxsize=1 << 12)
def split_of(name: str) -> tuple[str, str] | None:
    """The split in a folder's name and what else is in it: `seg_train` -> `("train", "seg")`.

    Words such as `images`, and numbers, are nothing else: `train2017` -> `("train", "")`.
    """
    parts = re.findall(r"[^\W\d_]+|\d+", words(name))
    if parts in (["train", "val"], ["train", "valid"]):
        return "train", ""
    splits = [split_name(part) for part in parts]
    named = [split for split in splits if split]
    if len(named) != 1:
        return None
    rest = [part for part, split in zip(parts, splits, strict=True) if not split]
    return named[0], " ".join(p for p in rest if not (p in _FILLERS or p.isdecimal()))


def is_beside(name: str) -> bool:
    """Whether a folder of this name holds what was made from pictures: `train_masks`."""
    split = split_of(name)
    rest = split[1] if split else " ".join(w for w in words(name).split() if w not in _FILLERS)
    return words(name) in BESIDE or rest in BESIDE or (rest == "segmented" != words(name))


def is_beside_of(name: str, others: Iterable[str]) -> bool:
    """Whether a folder holds what was made from those of another, in `words` form: `jay_masks`."""
    first, _, last = words(name).rpartition(" ")
    return last in MASKS and first in others


def splits_among(names: Iterable[str]) -> Mapping[str, str]:
    """Those names that are splits, and which: by their own, or as siblings that differ in it."""
    found = {name: both for name in names if (both := split_of(name))}
    if {"val"} < {split for split, _ in found.values()}:  # training, validation and evaluation
        last = [name for name in found if words(name).startswith("eval")]
        if sum(split == "val" for split, _ in found.values()) > len(last) == 1:
            found[last[0]] = ("test", found[last[0]][1])
    alike: dict[str, set[str]] = {}
    for split, rest in found.values():
        alike.setdefault(rest, set()).add(split)
    return {n: s for n, (s, rest) in found.items() if not rest or len(alike[rest]) > 1}
