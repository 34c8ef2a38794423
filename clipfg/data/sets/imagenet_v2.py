"""ImageNetV2, matched frequency (Recht et al., ICML 2019): 10 new test images for each class.

imagenetv2-matched-frequency-format-val/0/*.jpeg ... 999/: the folders are the labels. A reader that
sorts them as text takes 10 for the third class; here they are numbers.
"""

from pathlib import Path

from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.imagenet import class_list
from clipfg.data.sets.layouts import Item, build, images, subfolders
from clipfg.errors import DataError
from clipfg.types import Manifest


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for a folder that is no label."""
    assert root is not None
    items = []
    for folder in subfolders(root):
        if not folder.isdecimal() or int(folder) >= CARD.classes:
            raise DataError(f"Expected folders 0 to 999 in {root}, got {folder!r}.")
        items += [Item(f"{folder}/{file}", "test", int(folder)) for file in images(root / folder)]
    items.sort(key=lambda item: item.label)
    return build(CARD, root, items, class_list(), expected=CARD.images)


CARD = DatasetCard(
    name="imagenet-v2",
    title="ImageNetV2, matched frequency",
    domain="objects",
    classes=1000,
    splits={"test": 10000},
    default_split="test",
    url="https://github.com/modestyachts/ImageNetV2",
    licence="for research; the images belong to their authors",
    how_to_get=(
        "Run `clipfg datasets pull imagenet-v2`, or get imagenetv2-matched-frequency.tar.gz by"
        " https://github.com/modestyachts/ImageNetV2 and unpack it under --data-root."
    ),
    prompts="openai",
    read=read,
    layout=("0", "10", "999"),
    folders=(
        "imagenetv2-matched-frequency-format-val",
        "imagenetv2/imagenetv2-matched-frequency-format-val",
        "imagenet-v2",
    ),
    class_list=class_list,
    notes="Class names as imagenet's.",
    downloads=(
        Download(
            "https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main/imagenetv2-matched-frequency.tar.gz",
            "sha256:a32004f9e773279307499059d320336a23ccdc62cb32063da29bae9bd04c122c",
            1_253_959_680,
        ),
    ),
)
