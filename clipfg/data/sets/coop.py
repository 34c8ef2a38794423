"""The split files that CoOp published (Zhou et al., IJCV 2022), read as they are.

`split_zhou_<Data>.json` is `{"train": [[path, label, class name], ...], "val": ..., "test": ...}`.
`flowers102@coop` finds it beside the data; `flowers102@some/split.json` names it. The split, the
labels and the class names are the file's, so that results compare with papers that used it.
"""

import posixpath
from pathlib import Path

from clipfg.data.readers.list_files import in_order, read_json
from clipfg.data.sets.catalogue import DATASETS, DatasetCard
from clipfg.data.sets.layouts import Item, build
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.types import ClassList, Manifest

LINKS = "https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md"


def find_split(card: DatasetCard, root: Path) -> Path | None:
    """CoOp's split file for a data set in its folder or beside it, or None."""
    assert card.coop is not None
    places = (place / f"split_zhou_{card.coop[0]}.json" for place in (root, root.parent))
    return next((file for file in places if file.is_file()), None)


def read(card: DatasetCard, root: Path, file: Path | None, *, name: str) -> Manifest:
    """The images that a split file, by default the one beside the data, lists and that are on disk.

    Raises `UsageError` for a data set for which CoOp has no split file, `MissingError` when the
    file does not exist, and `DataError` for one in another form.
    """
    if card.coop is None:
        known = [name for name in DATASETS if DATASETS.get(name).coop]
        raise UsageError(
            f"CoOp published no split file for {card.name!r}, only for {', '.join(known)}; leave"
            " out the @... to read the data set's own split."
        )
    title, folder = card.coop
    given, file = file, file or find_split(card, root)
    if file is None or not file.is_file():
        raise MissingError(
            f"Expected CoOp's split file {given or f'split_zhou_{title}.json'}, but it does not"
            f" exist. Get it by the links in {LINKS} and put it into {root}."
        )
    content = read_json(file)
    items: list[Item] = []
    names: dict[int, str] = {}
    try:
        for split in ("train", "val", "test"):
            for path, label, class_name in content.get(split, ()):
                below = posixpath.normpath(posixpath.join(folder, path))
                known_name = names.setdefault(int(label), class_name)
                if below.startswith(("../", "/")) or known_name != class_name:
                    raise ValueError(f"{path!r} as label {label}, {class_name!r}")
                items.append(Item(below, split, int(label)))
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"Expected lists of [path, label, class name] under train, val and test in {file},"
            f" got {error}."
        ) from None
    classes = tuple(" ".join(n.replace("_", " ").split()) for n in in_order(names, file))
    return build(card, root, items, ClassList(classes), name=name)
