"""Caltech-UCSD Birds 200-2011 in its official layout (Wah et al., CNS-TR-2011-001, Caltech).

images/001.Black_footed_Albatross/*.jpg ..., classes.txt, and the lists of `cub_lists`. Captions
(Reed et al., CVPR 2016), one per line, are read from text/<class>/<image>.txt where they are
present. The readable names, with hyphens and apostrophes restored, and the families and orders are
this project's table.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_pairs
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.cub_lists import class_numbers, read_items
from clipfg.data.sets.layouts import build
from clipfg.types import Manifest


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for lists that contradict each other."""
    folders = [folder for _, folder in read_pairs(root / "classes.txt")]
    items = [
        item._replace(label=item.label - 1, caption=_caption(root, item.path))
        for item in read_items(root)
    ]
    classes = class_tables.class_list("cub200", folders)
    return build(CARD, root, items, classes, expected=len(class_numbers(root)))


def _caption(root: Path, image: str) -> str | None:
    path = (root / "text" / image.removeprefix("images/")).with_suffix(".txt")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return "\n".join(line for line in map(str.strip, text.splitlines()) if line) or None


CARD = DatasetCard(
    name="cub200",
    title="Caltech-UCSD Birds 200-2011",
    domain="birds",
    classes=200,
    splits={"train": 5994, "test": 5794},
    url="https://www.vision.caltech.edu/datasets/cub_200_2011/",
    licence="non-commercial research and education",
    prompts="birds",
    read=read,
    layout=("images", "images.txt", "classes.txt", "image_class_labels.txt"),
    folders=("CUB_200_2011", "cub200", "CUB_200_2011/CUB_200_2011", "cub"),
    class_list=lambda: class_tables.class_list("cub200"),
    taxonomy="order > family > species",
    downloads=(
        Download(
            "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
            "md5:97eceeb196236b17998738112f37df78",
            1_150_585_339,
        ),
    ),
)
