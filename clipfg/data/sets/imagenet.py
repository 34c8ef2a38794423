"""ImageNet, ILSVRC 2012 (Russakovsky et al., IJCV 2015), with a folder per synset.

train/n01440764/*.JPEG ... and val/n01440764/*.JPEG: the usual form, in which the validation
images are sorted into folders. Labels follow the order of the synset ids. The class names are
those that OpenAI curated for CLIP, read from the installed open_clip, because WordNet's own make
poor prompts ("crane" twice); the synset ids are read from the installed timm.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import build_unlisted, in_folders
from clipfg.errors import MissingError
from clipfg.types import ClassList, Manifest

DISTINCT = {744: "projectile missile", 837: "pair of sunglasses"}
"""New names for two classes that share theirs in open_clip's list (n04008634 and n04356056)."""


@cache
def class_list() -> ClassList:
    """The 1,000 classes in the order of the labels."""
    # The file alone: importing open_clip takes seconds.
    content = run_path(str(_installed("open_clip", "zero_shot_metadata.py")))
    names = list(content["IMAGENET_CLASSNAMES"])
    for label, name in DISTINCT.items():
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


def read(root: Path) -> Manifest:
    """The images that are on disk. Raises `DataError` for a folder that is none of the synsets."""
    places = {"train": "train", "val": "val"}
    items = in_folders(root, places, synsets(), of="ImageNet's 1,000 synsets")
    return build_unlisted(CARD, root, items, class_list())


CARD = DatasetCard(
    name="imagenet",
    title="ImageNet ILSVRC 2012",
    domain="objects",
    classes=1000,
    splits={"train": 1_281_167, "val": 50_000},
    default_split="val",
    url="https://image-net.org/challenges/LSVRC/2012/",
    licence="non-commercial research, under ImageNet's terms",
    by_hand="Agree to the terms at https://image-net.org/download.php, get ILSVRC2012_img_val.tar"
    " (and _train.tar), and sort the images into val/SYNSET/ (and train/SYNSET/) of a folder,"
    " imagenet, under --data-root.",
    prompts="openai",
    read=read,
    layout=("val/n01440764|train/n01440764|val/n15075141|train/n15075141",),
    folders=("imagenet", "imagenet/images", "ILSVRC/Data/CLS-LOC", "ILSVRC2012"),
    class_list=class_list,
    notes="The class names are OpenAI's for CLIP, from open_clip; two duplicates are renamed.",
)
