"""The split files that CoOp published (Zhou et al., IJCV 2022), read as they are.

`split_zhou_<Data>.json` is `{"train": [[path, label, class name], ...], "val": ..., "test": ...}`.
`flowers102@coop` finds it beside the data; `flowers102@some/split.json` names it. The file
gives split, labels and class names, so that figures compare with papers that used it.
"""

import posixpath
from pathlib import Path

from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import Item, build, in_order, read_json
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.types import ClassList, Manifest

PUBLISHED = {
    "flowers102": ("OxfordFlowers", "jpg"),
    "oxford-pets": ("OxfordPets", "images"),
    "stanford-cars": ("StanfordCars", "."),
    "food101": ("Food101", "images"),
    "sun397": ("SUN397", "SUN397"),
    "dtd": ("DescribableTextures", "images"),
    "eurosat": ("EuroSAT", "."),
    "caltech101": ("Caltech101", "101_ObjectCategories"),
    "ucf101": ("UCF101", "UCF-101-midframes"),
}
"""What CoOp calls a data set, and the folder below its root that the paths start from."""

SPLITS = ("train", "val", "test")


def find_split(name: str, root: Path) -> Path | None:
    """CoOp's split file for the data set `name` in its folder or beside it, or None."""
    file = f"split_zhou_{PUBLISHED[name][0]}.json"
    return next((f / file for f in (root, root.parent) if (f / file).is_file()), None)


def read(card: DatasetCard, root: Path, file: Path | None, *, name: str) -> Manifest:
    """The images that a split file lists and that are on disk.

    Parameters
    ----------
    card, root
        The data set and its folder.
    file
        The split file; found beside the data where None.
    name
        What the manifest is called.

    Raises `UsageError` for a data set for which CoOp has no split file, `MissingError` when the
    file is not there, and `DataError` for one that is not of its form.
    """
    if card.name not in PUBLISHED:
        raise UsageError(
            f"Expected a data set for which CoOp published a split file"
            f" ({', '.join(sorted(PUBLISHED))}), got {card.name!r}; leave the @... away to read its"
            " own split."
        )
    title, folder = PUBLISHED[card.name]
    given, file = file, file or find_split(card.name, root)
    if file is None or not file.is_file():
        raise MissingError(
            f"Expected CoOp's split file {given or f'split_zhou_{title}.json'}, but it is not"
            " there. Get it by the links in"
            f" https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md and put it into {root}."
        )
    content = read_json(file)
    items: list[Item] = []
    names: dict[int, str] = {}
    try:
        rows = [(split, *row) for split in SPLITS for row in content.get(split, ())]
        for split, path, label, class_name in rows:
            below = posixpath.normpath(posixpath.join(folder, path))
            if (
                below.startswith(("../", "/"))
                or names.setdefault(int(label), class_name) != class_name
            ):
                raise ValueError(f"{path!r} as label {label}, {class_name!r}")
            items.append(Item(below, split, int(label)))
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"Expected lists of [path, label, class name] under train, val and test in {file},"
            f" got {error}."
        ) from None
    classes = tuple(" ".join(n.replace("_", " ").split()) for n in in_order(names, file))
    return build(card, root, items, ClassList(classes), name=name)
