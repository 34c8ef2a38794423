"""ImageNetV2, matched frequency (Recht et al., ICML 2019): 10 new test images for each class.

imagenetv2-matched-frequency-format-val/0/*.jpeg ... 999/: the folders are the labels. A reader that
sorts them as text takes 10 for the third class; here they are numbers.
"""

from pathlib import Path

from clipfg.data.sets.catalogue import DatasetCard, Download
from clipfg.data.sets.imagenet import class_list
from clipfg.data.sets.layouts import build_unlisted, in_folders
from clipfg.types import Manifest


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for a folder that is no label."""
    folders = [str(label) for label in range(CARD.classes)]
    items = in_folders(root, {"test": ""}, folders, of="labels from 0 to 999")
    return build_unlisted(CARD, root, items, class_list())


CARD = DatasetCard(
    name="imagenet-v2",
    title="ImageNetV2, matched frequency",
    domain="objects",
    classes=1000,
    splits={"test": 10000},
    url="https://github.com/modestyachts/ImageNetV2",
    licence="for research; the images belong to their authors",
    prompts="openai",
    read=read,
    layout=("0", "10", "999"),
    folders=(
        "imagenetv2-matched-frequency-format-val",
        "imagenetv2/imagenetv2-matched-frequency-format-val",
        "imagenet-v2",
    ),
    class_list=class_list,
    notes="The class names are those of imagenet.",
    downloads=(
        Download(
            "https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main/imagenetv2-matched-frequency.tar.gz",
            "sha256:a32004f9e773279307499059d320336a23ccdc62cb32063da29bae9bd04c122c",
            1_253_959_680,
        ),
    ),
)
