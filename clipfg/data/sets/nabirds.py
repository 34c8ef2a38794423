"""NABirds v1 in its official layout (Van Horn et al., CVPR 2015).

images/0295/<id>.jpg ..., the lists of CUB-200-2011, classes.txt with the number and name of each
node, and hierarchy.txt with a node and its parent per line. Of the 1,011 nodes, the 555 that images
are labelled with are the classes, in the order of their numbers; the others are the taxonomy.
"""

from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.readers.list_files import read_fields
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.cub200 import read_items
from clipfg.data.sets.layouts import build
from clipfg.errors import DataError
from clipfg.types import ClassList, Manifest


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for lists that contradict each other."""
    listed = read_items(root)
    nodes = sorted({item.label for item in listed})
    labels = {node: label for label, node in enumerate(nodes)}
    items = [item._replace(label=labels[item.label]) for item in listed]
    return build(CARD, root, items, _classes(root, nodes))


def _classes(root: Path, nodes: list[int]) -> ClassList:
    """The labelled nodes, and those above each up to the root, which is excluded."""
    named = read_fields(root / "classes.txt", r"(\d+)\s+(.+)", "a number and a name")
    names = {int(node): name for node, name in named}
    links = read_fields(root / "hierarchy.txt", r"(\d+)\s+(\d+)", "a node and its parent")
    above = {int(child): int(parent) for child, parent in links}
    missing = next((node for node in nodes if node not in names), None)
    if missing is not None:
        raise DataError(f"Expected a name for class {missing} in {root / 'classes.txt'}.")
    chains = []
    for node in nodes:
        chain: list[int] = []
        while (node := above.get(node, -1)) in above and node not in chain:
            chain.append(node)
        chains.append(chain)
    depth = max(map(len, chains), default=0)
    # Counted from the root, so that a node is on one level for all its descendants.
    levels = [f"level {n}" for n in range(depth, 0, -1)]
    lineages = [[""] * (depth - len(c)) + [names.get(node, "") for node in c] for c in chains]
    return class_tables.with_lineages([names[node] for node in nodes], lineages, levels)


CARD = DatasetCard(
    name="nabirds",
    title="NABirds",
    domain="birds",
    classes=555,
    splits={"train": 23929, "test": 24633},
    url="https://dl.allaboutbirds.org/nabirds",
    licence="non-commercial research, under Cornell's terms of use",
    by_hand="Agree to the terms at https://dl.allaboutbirds.org/nabirds, get nabirds.tar.gz and"
    " unpack it under --data-root.",
    prompts="birds",
    read=read,
    layout=("images", "images.txt", "classes.txt", "hierarchy.txt", "image_class_labels.txt"),
    folders=("nabirds", "NABirds"),
    taxonomy="groups > species > plumage",
)
