"""Oxford-IIIT Pet in its official layout (Parkhi et al., CVPR 2012).

images/Abyssinian_1.jpg ...; annotations/trainval.txt and test.txt hold a line per image: a name,
the class from 1 to 37 (alphabetical without regard to case), the species (1 cat, 2 dog) and a
number within the species. The 3,680 of trainval are called "train" here.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build, in_order, read_lines
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

SPLITS = {"train": "trainval", "test": "test"}
SPECIES = {"1": "cat", "2": "dog"}


def class_list() -> ClassList:
    """The 37 breeds in the order of the labels, each a cat or a dog."""
    return class_tables.class_list("oxford_pets")


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for a line that is not as described."""
    assert root is not None
    items: list[Item] = []
    official: dict[int, str] = {}
    species: dict[int, str] = {}
    for split, file in SPLITS.items():
        path = root / "annotations" / f"{file}.txt"
        for line in read_lines(path):
            parts = line.split()
            if len(parts) < 3 or not parts[1].isdecimal() or parts[2] not in SPECIES:
                raise DataError(f"Expected a name, a class and a species, got {line!r} in {path}.")
            label = int(parts[1]) - 1
            official[label] = parts[0].rpartition("_")[0]
            species[label] = SPECIES[parts[2]]
            items.append(Item(f"images/{parts[0]}.jpg", split, label))
    names = class_tables.readable(in_order(official, root / "annotations"), "oxford_pets")
    parents = {name: species[label] for label, name in enumerate(names)}
    return build(CARD, root, items, ClassList(tuple(names), parents, levels=("species",)))


CARD = DatasetCard(
    name="oxford-pets",
    title="Oxford-IIIT Pet",
    domain="cats and dogs",
    classes=37,
    splits={"train": 3680, "test": 3669},
    default_split="test",
    url="https://www.robots.ox.ac.uk/~vgg/data/pets/",
    licence="CC BY-SA 4.0; the images belong to their authors",
    how_to_get=(
        "Run `clipfg datasets pull oxford-pets`, or get images.tar.gz and annotations.tar.gz from"
        " https://www.robots.ox.ac.uk/~vgg/data/pets/ and unpack both into one folder,"
        " oxford-pets, under --data-root."
    ),
    prompts="pets",
    read=read,
    layout=("images", "annotations/trainval.txt", "annotations/test.txt"),
    folders=("oxford-pets", "oxford-iiit-pet", "oxford_pets", "pets"),
    class_list=class_list,
    taxonomy="species > breed",
    notes='The official "trainval" is called train.',
    downloads=(
        Download(
            "https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
            "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c",
        ),
        Download(
            "https://www.robots.ox.ac.uk/~vgg/data/pets/data/annotations.tar.gz",
            "md5:95a8c909bbe2e81eed6a22bccdf3f68f",
        ),
    ),
)
