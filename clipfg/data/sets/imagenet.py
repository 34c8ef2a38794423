"""ImageNet, ILSVRC 2012 (Russakovsky et al., IJCV 2015), with a folder per synset.

train/n01440764/*.JPEG ... and val/n01440764/*.JPEG: the usual form, in which the validation
images are sorted into folders. Labels are the order of the synsets' numbers. The class names are
those that OpenAI curated for CLIP, read from the installed open_clip, as WordNet's own are poor for
prompts ("crane" twice); the synsets' numbers are read from the installed timm.
"""

from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import Item, build, expected_of, images, subfolders
from clipfg.errors import DataError, MissingError
from clipfg.types import ClassList, Manifest

APART = {744: "projectile missile", 837: "pair of sunglasses"}
"""Two names that open_clip's list has twice, told apart (synsets n04008634 and n04356056)."""


@cache
def class_list() -> ClassList:
    """The 1,000 classes in the order of the labels."""
    # The file alone: importing open_clip takes seconds.
    spec = spec_from_file_location("_names", _installed("open_clip", "zero_shot_metadata.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    names = list(module.IMAGENET_CLASSNAMES)
    for label, name in APART.items():
        if names.count(names[label]) > 1:
            names[label] = name
    return ClassList(tuple(names))


@cache
def synsets() -> tuple[str, ...]:
    """The 1,000 synsets ("n01440764") in the order of the labels."""
    return tuple(_installed("timm", "data/_info/imagenet_synsets.txt").read_text().split())


def _installed(package: str, file: str) -> Path:
    """A file of an installed package, which is not imported. Raises `MissingError`."""
    spec = find_spec(package)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / file).is_file():
            return Path(place) / file
    raise MissingError(
        f"Expected {file} in the installed {package}, but it is not there; pip install {package}."
    )


def read(root: Path | None) -> Manifest:
    """The images that are on disk. Raises `DataError` for a folder that is no synset of these."""
    assert root is not None
    labels = {synset: label for label, synset in enumerate(synsets())}
    items = []
    for split in ("train", "val"):
        for folder in subfolders(root / split):
            if folder not in labels:
                raise DataError(
                    f"Expected one of ImageNet's 1,000 synsets in {root / split}, got {folder!r}."
                )
            for file in images(root / split / folder):
                items.append(Item(f"{split}/{folder}/{file}", split, labels[folder]))
    return build(CARD, root, items, class_list(), expected=expected_of(CARD, items))


CARD = DatasetCard(
    name="imagenet",
    title="ImageNet ILSVRC 2012",
    domain="objects",
    classes=1000,
    splits={"train": 1_281_167, "val": 50_000},
    default_split="val",
    url="https://image-net.org/challenges/LSVRC/2012/",
    licence="non-commercial research, by ImageNet's terms",
    how_to_get=(
        "Agree to the terms at https://image-net.org/download.php, get ILSVRC2012_img_val.tar (and"
        " _train.tar), and sort the images into val/SYNSET/ (and train/SYNSET/) of a folder,"
        " imagenet, under --data-root."
    ),
    prompts="openai",
    read=read,
    layout=("val/n01440764|train/n01440764|val/n15075141|train/n15075141",),
    folders=("imagenet", "imagenet/images", "ILSVRC/Data/CLS-LOC", "ILSVRC2012"),
    class_list=class_list,
    notes="Class names are OpenAI's for CLIP, from open_clip; two that occur twice are told apart.",
)
