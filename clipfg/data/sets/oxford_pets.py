"""Oxford-IIIT Pet in its official layout (Parkhi et al., CVPR 2012).

images/Abyssinian_1.jpg ...; annotations/trainval.txt and test.txt have a line per image: a name,
the class from 1 to 37 (alphabetical, ignoring case), the species (1 cat, 2 dog) and a number within
the species. The 3,680 of trainval are called "train" here.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import in_order, read_fields
from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.layouts import Item, build
from clipfg.types import Manifest

URL = "https://www.robots.ox.ac.uk/~vgg/data/pets/"


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for a line that is not as described."""
    items: list[Item] = []
    breeds: dict[int, str] = {}
    for split, file in {"train": "trainval", "test": "test"}.items():
        path = root / f"annotations/{file}.txt"
        for name, number in read_fields(path, r"(\S+) (\d+) [12]\b.*", "a name, class and species"):
            label = int(number) - 1
            breeds[label] = name.rpartition("_")[0]
            items.append(Item(f"images/{name}.jpg", split, label))
    official = in_order(breeds, root / "annotations")
    return build(CARD, root, items, class_tables.class_list("oxford_pets", official))


CARD = DatasetCard(
    name="oxford-pets",
    title="Oxford-IIIT Pet",
    domain="cats and dogs",
    classes=37,
    splits={"train": 3680, "test": 3669},
    url=URL,
    licence="CC BY-SA 4.0; the images belong to their authors",
    prompts="pets",
    read=read,
    layout=("images", "annotations/trainval.txt", "annotations/test.txt"),
    folders=("oxford-pets", "oxford-iiit-pet", "oxford_pets", "pets"),
    class_list=lambda: class_tables.class_list("oxford_pets"),
    taxonomy="species > breed",
    notes='The official "trainval" is called train.',
    coop=("OxfordPets", "images"),
    downloads=(
        Download(f"{URL}data/images.tar.gz", "md5:5c4f3ee8e5d25df40f4fd59a7f44e54c", 791_918_971),
        Download(
            f"{URL}data/annotations.tar.gz", "md5:95a8c909bbe2e81eed6a22bccdf3f68f", 19_173_078
        ),
    ),
)
