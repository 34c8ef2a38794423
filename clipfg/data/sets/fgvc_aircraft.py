"""FGVC-Aircraft 2013b in its official layout (Maji et al., arXiv 1306.5151).

The folder data/ of the archive: images/0034309.jpg ..., variants.txt, and
images_<level>_<split>.txt with an image's number and its variant, family or manufacturer. The
lowest 20 rows of every image are a banner that names its photographer; it is left on.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, read_lines, read_pairs
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

SPLITS = ("train", "val", "test")
LEVELS = ("family", "manufacturer")


def class_list() -> ClassList:
    """The 100 variants in the order of the labels; families and makers come with the data."""
    return class_tables.class_list("fgvc_aircraft")


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for a variant that is not listed."""
    assert root is not None
    names = read_lines(root / "variants.txt")
    labels = {name: label for label, name in enumerate(names)}
    items = []
    variant_of: dict[str, str] = {}
    for split in SPLITS:
        path = root / f"images_variant_{split}.txt"
        for number, variant in read_pairs(path):
            if variant not in labels:
                raise DataError(f"Expected a variant of variants.txt, got {variant!r} in {path}.")
            variant_of[number] = variant
            items.append(Item(f"images/{number}.jpg", split, labels[variant]))
    lineages: dict[str, list[str]] = {name: [""] * len(LEVELS) for name in names}
    for place, level in enumerate(LEVELS):
        for split in SPLITS:
            path = root / f"images_{level}_{split}.txt"
            for number, node in read_pairs(path) if path.is_file() else ():
                if number in variant_of:
                    lineages[variant_of[number]][place] = node
    whole = LEVELS if all(map(all, lineages.values())) else ()
    classes = ClassList(tuple(names), class_tables.taxonomy(lineages, LEVELS), levels=whole)
    return build(CARD, root, items, classes)


CARD = DatasetCard(
    name="fgvc-aircraft",
    title="FGVC-Aircraft 2013b",
    domain="aircraft",
    classes=100,
    splits={"train": 3334, "val": 3333, "test": 3333},
    default_split="test",
    url="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
    licence="non-commercial research",
    how_to_get=(
        "Run `clipfg datasets pull fgvc-aircraft`, or get fgvc-aircraft-2013b.tar.gz from"
        " https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/ and unpack it under --data-root."
    ),
    prompts="aircraft",
    read=read,
    layout=("images", "variants.txt", "images_variant_train.txt", "images_variant_test.txt"),
    folders=("fgvc-aircraft-2013b/data", "fgvc_aircraft", "fgvc-aircraft", "fgvc-aircraft/data"),
    class_list=class_list,
    taxonomy="manufacturer > family > variant",
    notes="The photographer's banner, the lowest 20 rows of an image, is left on.",
    downloads=(
        Download(
            "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz",
            "md5:d4acdd33327262359767eeaa97a4f732",
        ),
    ),
)
