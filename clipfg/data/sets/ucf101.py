"""UCF101 as the middle frame of each video (Soomro et al., CRCV-TR-12-01; frames by Zhou et al.).

UCF-101-midframes/Apply_Eye_Makeup/v_ApplyEyeMakeup_g01_c01.jpg ..., and the official lists
ucfTrainTestlist/trainlist01.txt and testlist01.txt, which name the videos as
`ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi`. Without the lists, CoOp's split file is read.
"""

import re
from pathlib import Path

from clipfg.data.readers import class_tables
from clipfg.data.sets import coop
from clipfg.data.sets.catalogue import DatasetCard
from clipfg.data.sets.layouts import build, in_lists
from clipfg.errors import MissingError
from clipfg.types import Manifest

FRAMES = "UCF-101-midframes"
LISTS = "ucfTrainTestlist"


def read(root: Path) -> Manifest:
    """The frames of the first official split that are on disk."""
    if not (root / LISTS).is_dir():
        if file := coop.find_split(CARD, root):
            return coop.read(CARD, root, file, name=CARD.name)
        raise MissingError(f"Expected {LISTS} or CoOp's split file in {root}. {CARD.how_to_get}")
    lists = {split: root / LISTS / f"{split}list01.txt" for split in ("train", "test")}
    items = in_lists(lists, class_tables.folders("ucf101"), _frame)
    return build(CARD, root, items, class_tables.class_list("ucf101"))


def _frame(line: str) -> tuple[str, str]:
    """The frame of a listed video, and the action."""
    action, _, video = line.partition(" ")[0].partition("/")
    folder = "_".join(re.findall("[A-Z][^A-Z]*", action))
    return f"{FRAMES}/{folder}/{video.removesuffix('.avi')}.jpg", action


CARD = DatasetCard(
    name="ucf101",
    title="UCF101, middle frames",
    domain="actions",
    classes=101,
    splits={"train": 9537, "test": 3783},
    url="https://www.crcv.ucf.edu/data/UCF101.php",
    licence="for research; the videos belong to their authors",
    by_hand="Get UCF-101-midframes.zip by the link in"
    " https://github.com/KaiyangZhou/CoOp/blob/main/DATASETS.md and"
    " UCF101TrainTestSplits-RecognitionTask.zip from https://www.crcv.ucf.edu/data/UCF101.php,"
    " and unpack both into one folder, ucf101, under --data-root.",
    prompts="actions",
    read=read,
    layout=(FRAMES,),
    folders=("ucf101", "UCF101"),
    class_list=lambda: class_tables.class_list("ucf101"),
    notes="One frame per video; split 1 of the three official ones.",
    coop=("UCF101", FRAMES),
)
