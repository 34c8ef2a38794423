"""FGVC-Aircraft 2013b in its official layout (Maji et al., arXiv 1306.5151).

The folder data/ of the archive: images/0034309.jpg ..., variants.txt, and
images_<level>_<split>.txt with an image's number and its variant, family or manufacturer. The
lowest 20 rows of every image are a banner that names its photographer; it is kept.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_lines, read_pairs
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import build, in_lists
from clipfg.types import Manifest

SPLITS = ("train", "val", "test")
LEVELS = ("family", "manufacturer")


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for a variant that is not listed."""
    names = read_lines(root / "variants.txt")
    lists = {split: root / f"images_variant_{split}.txt" for split in SPLITS}
    items = in_lists(lists, names, _listed)
    variants = {Path(item.path).stem: item.label for item in items}
    lineages = [[""] * len(LEVELS) for _ in names]
    for place, level in enumerate(LEVELS):
        for path in (root / f"images_{level}_{split}.txt" for split in SPLITS):
            for number, node in read_pairs(path) if path.is_file() else ():
                if number in variants:
                    lineages[variants[number]][place] = node
    return build(CARD, root, items, class_tables.with_lineages(names, lineages, LEVELS))


def _listed(line: str) -> tuple[str, str]:
    number, _, variant = line.partition(" ")
    return f"images/{number}.jpg", variant.strip()


CARD = DatasetCard(
    name="fgvc-aircraft",
    title="FGVC-Aircraft 2013b",
    domain="aircraft",
    classes=100,
    splits={"train": 3334, "val": 3333, "test": 3333},
    url="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
    licence="non-commercial research",
    prompts="aircraft",
    read=read,
    layout=("images", "variants.txt", "images_variant_train.txt", "images_variant_test.txt"),
    folders=("fgvc-aircraft-2013b/data", "fgvc_aircraft", "fgvc-aircraft", "fgvc-aircraft/data"),
    class_list=lambda: class_tables.class_list("fgvc_aircraft"),
    taxonomy="manufacturer > family > variant",
    notes="The photographer's banner, the lowest 20 rows of an image, is kept.",
    downloads=(
        Download(
            "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz",
            "md5:d4acdd33327262359767eeaa97a4f732",
            2_750_000_000,
        ),
    ),
)
