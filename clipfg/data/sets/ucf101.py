"""UCF101 as the middle frame of each video (Soomro et al., CRCV-TR-12-01; frames by Zhou et al.).

UCF-101-midframes/Apply_Eye_Makeup/v_ApplyEyeMakeup_g01_c01.jpg ..., and the official lists
ucfTrainTestlist/trainlist01.txt and testlist01.txt, which name the videos as
`ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi`. Where only CoOp's split file is there, that is read.
"""

import re
from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets import coop
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import Item, build, read_lines
from clipfg.errors import DataError, MissingError
from clipfg.types import ClassList, Manifest

FRAMES = "UCF-101-midframes"
LISTS = "ucfTrainTestlist"


def class_list() -> ClassList:
    """The 101 actions in alphabetical order."""
    return class_tables.class_list("ucf101")


def read(root: Path | None) -> Manifest:
    """The frames of the first official split that are on disk."""
    assert root is not None
    if not (root / LISTS).is_dir():
        if file := coop.find_split(CARD.name, root):
            return coop.read(CARD, root, file, name=CARD.name)
        raise MissingError(f"Expected {LISTS} or CoOp's split file in {root}. {CARD.how_to_get}")
    labels = {row["folder"]: label for label, row in enumerate(class_tables.rows("ucf101"))}
    items = []
    for split in ("train", "test"):
        path = root / LISTS / f"{split}list01.txt"
        for line in read_lines(path):
            action, _, video = line.partition(" ")[0].partition("/")
            if action not in labels:
                raise DataError(f"Expected a video of a UCF101 action, got {line!r} in {path}.")
            folder = "_".join(re.findall("[A-Z][^A-Z]*", action))
            frame = f"{FRAMES}/{folder}/{video.removesuffix('.avi')}.jpg"
            items.append(Item(frame, split, labels[action]))
    return build(CARD, root, items, class_list())


CARD = DatasetCard(
    name="ucf101",
    title="UCF101, middle frames",
    domain="actions",
    classes=101,
    splits={"train": 9537, "test": 3783},
    default_split="test",
    url="https://www.crcv.ucf.edu/data/UCF101.php",
    licence="for research; the videos belong to their authors",
    how_to_get=(
        "Get UCF-101-midframes.zip by the link in"
        " https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md and"
        " UCF101TrainTestSplits-RecognitionTask.zip from https://www.crcv.ucf.edu/data/UCF101.php,"
        " and unpack both into one folder, ucf101, under --data-root."
    ),
    prompts="actions",
    read=read,
    layout=(FRAMES,),
    folders=("ucf101", "UCF101"),
    class_list=class_list,
    notes="One frame a video; split 1 of the three official ones.",
)
