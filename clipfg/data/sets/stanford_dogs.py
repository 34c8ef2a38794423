"""Stanford Dogs in its official layout (Khosla et al., FGVC at CVPR 2011).

Images/n02085620-Chihuahua/n02085620_10074.jpg ...; train_list.mat and test_list.mat hold
`file_list` and `labels` from 1 to 120. The images are ImageNet's own training images, so a
model that was trained there has seen them. The groups above the breeds are WordNet's.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, in_order, read_mat
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest


def class_list() -> ClassList:
    """The 120 breeds in the order of the labels, with WordNet's groups."""
    return class_tables.class_list("stanford_dogs")


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for lists that do not fit each other."""
    assert root is not None
    items: list[Item] = []
    folders: dict[int, str] = {}
    for split in ("train", "test"):
        path = root / f"{split}_list.mat"
        files, labels = read_mat(path, "file_list"), read_mat(path, "labels")
        if len(files) != len(labels):
            raise DataError(f"Expected a label per file in {path}, got {len(labels)}.")
        for file, label in zip(map(str, files), labels, strict=True):
            folders[int(label) - 1] = file.partition("/")[0]
            items.append(Item(f"Images/{file}", split, int(label) - 1))
    official = [folder.partition("-")[2] for folder in in_order(folders, root)]
    names = class_tables.readable(official, "stanford_dogs")
    groups = {row["name"]: row["group"] for row in class_tables.rows("stanford_dogs")}
    parents = class_tables.taxonomy({n: [groups.get(n, "")] for n in names}, ["group"])
    return build(CARD, root, items, ClassList(tuple(names), parents, levels=("group",)))


CARD = DatasetCard(
    name="stanford-dogs",
    title="Stanford Dogs",
    domain="dogs",
    classes=120,
    splits={"train": 12000, "test": 8580},
    default_split="test",
    url="http://vision.stanford.edu/aditya86/ImageNetDogs/",
    licence="non-commercial research, as ImageNet",
    how_to_get=(
        "Run `clipfg datasets pull stanford-dogs`, or get images.tar and lists.tar from"
        " http://vision.stanford.edu/aditya86/ImageNetDogs/ and unpack both into one folder,"
        " stanford-dogs, under --data-root."
    ),
    prompts="dogs",
    read=read,
    layout=("Images", "train_list.mat", "test_list.mat"),
    folders=("stanford-dogs", "stanford_dogs", "StanfordDogs", "dogs"),
    class_list=class_list,
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
