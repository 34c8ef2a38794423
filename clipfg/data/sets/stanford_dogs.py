"""Stanford Dogs in its official layout (Khosla et al., FGVC at CVPR 2011).

Images/n02085620-Chihuahua/n02085620_10074.jpg ...; train_list.mat and test_list.mat hold
`file_list` and `labels` from 1 to 120. The images are ImageNet's own training images, so a
model that was trained there has seen them. The groups above the breeds are WordNet's.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import in_order, read_mat
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build
from clipfg.errors import DataError
from clipfg.types import Manifest


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for lists of unequal lengths."""
    items: list[Item] = []
    breeds: dict[int, str] = {}
    for split in ("train", "test"):
        path = root / f"{split}_list.mat"
        files, labels = read_mat(path, "file_list"), read_mat(path, "labels")
        if len(files) != len(labels):
            raise DataError(f"Expected a label per file in {path}, got {len(labels)}.")
        for file, label in zip(map(str, files), labels, strict=True):
            breeds[int(label) - 1] = file.partition("/")[0].partition("-")[2]
            items.append(Item(f"Images/{file}", split, int(label) - 1))
    classes = class_tables.class_list("stanford_dogs", in_order(breeds, root))
    return build(CARD, root, items, classes)


CARD = DatasetCard(
    name="stanford-dogs",
    title="Stanford Dogs",
    domain="dogs",
    classes=120,
    splits={"train": 12000, "test": 8580},
    url="http://vision.stanford.edu/aditya86/ImageNetDogs/",
    licence="non-commercial research, as for ImageNet",
    prompts="dogs",
    read=read,
    layout=("Images", "train_list.mat", "test_list.mat"),
    folders=("stanford-dogs", "stanford_dogs", "StanfordDogs", "dogs"),
    class_list=lambda: class_tables.class_list("stanford_dogs"),
    taxonomy="group > breed",
    notes="The images are taken from ImageNet's training set.",
    downloads=(
        Download(
            "http://vision.stanford.edu/aditya86/ImageNetDogs/images.tar",
            "sha256:a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58",
            793_579_520,
        ),
        Download(
            "http://vision.stanford.edu/aditya86/ImageNetDogs/lists.tar",
            "sha256:34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c",
            481_280,
        ),
    ),
)
