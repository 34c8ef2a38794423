"""NABirds v1 in its official layout (Van Horn et al., CVPR 2015).

images/0295/<id>.jpg ...; images.txt, image_class_labels.txt, train_test_split.txt and
bounding_boxes.txt are keyed by an image's id, classes.txt by a class's, and hierarchy.txt has a
class and its parent per line. Of the 1,011 nodes the 555 that images are labelled with are the
classes, in the order of their numbers; the others are the taxonomy.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import Item, build, read_pairs
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest

SPLITS = {"1": "train", "0": "test"}


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for lists that do not fit each other."""
    assert root is not None
    files = dict(read_pairs(root / "images.txt"))
    numbers = dict(read_pairs(root / "image_class_labels.txt"))
    splits = dict(read_pairs(root / "train_test_split.txt"))
    path = root / "bounding_boxes.txt"
    boxes = dict(read_pairs(path)) if path.is_file() else {}
    used = sorted({int(number) for number in numbers.values()})
    labels = {str(number): label for label, number in enumerate(used)}
    items = []
    for key, file in files.items():
        if key not in numbers:
            raise DataError(f"Expected a class for {file} in {root / 'image_class_labels.txt'}.")
        split, label = SPLITS.get(splits.get(key, "")), labels[str(int(numbers[key]))]
        box = _corners(boxes[key], path) if key in boxes else None
        items.append(Item(f"images/{file}", split, label, box))
    return build(CARD, root, items, _classes(root, [str(number) for number in used]))


def _corners(box: str, path: Path) -> list[float]:
    try:
        x, y, width, height = (float(part) for part in box.split())
    except ValueError:
        raise DataError(f"Expected x, y, width and height, got {box!r} in {path}.") from None
    return [x, y, x + width, y + height]


def _classes(root: Path, used: list[str]) -> ClassList:
    """The labelled classes, and the nodes above each up to the root, which is left out."""
    names = {str(int(key)): name for key, name in read_pairs(root / "classes.txt")}
    above = {str(int(c)): str(int(p)) for c, p in read_pairs(root / "hierarchy.txt")}
    missing = next((number for number in used if number not in names), None)
    if missing:
        raise DataError(f"Expected a name for class {missing} in {root / 'classes.txt'}.")
    chains = []
    for number in used:
        chain: list[str] = []
        while (number := above.get(number, "")) in above and number not in chain:
            chain.append(number)
        chains.append(chain)
    depth = max(map(len, chains), default=0)
    # Counted from the root, so that one node is on one level for all its descendants.
    levels = [f"level {n}" for n in range(1, depth + 1)]
    lineages = {
        names[number]: [""] * (depth - len(chain)) + [names.get(node, "") for node in chain]
        for number, chain in zip(used, chains, strict=True)
    }
    if len(lineages) != len(used):
        raise DataError(f"Expected each class name once in {root / 'classes.txt'}.")
    return ClassList(tuple(lineages), class_tables.taxonomy(lineages, levels[::-1]))


CARD = DatasetCard(
    name="nabirds",
    title="NABirds",
    domain="birds",
    classes=555,
    splits={"train": 23929, "test": 24633},
    default_split="test",
    url="https://dl.allaboutbirds.org/nabirds",
    licence="non-commercial research, by Cornell's terms of use",
    how_to_get=(
        "Agree to the terms at https://dl.allaboutbirds.org/nabirds, get nabirds.tar.gz and unpack"
        " it under --data-root."
    ),
    prompts="birds",
    read=read,
    layout=("images", "images.txt", "classes.txt", "hierarchy.txt", "image_class_labels.txt"),
    folders=("nabirds", "NABirds"),
    taxonomy="groups > species > plumage",
)
