"""Explanations that `zeroshot` and `predict` add to their runs."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from clipfg.errors import UsageError
from clipfg.heads import Head
from clipfg.heads.zero_shot import ZeroShot
from clipfg.prompting import PromptSet
from clipfg.types import ClassList
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.explain.explainer import Pair
from clipfg.workflows.explain.page import write_explanations
from clipfg.workflows.explain.photos import DENSE, explain_photos, make_explainer
from clipfg.workflows.run_folder import RunFolder
from clipfg.workflows.session import Session

FILE = "explanations.json"

Chosen = Sequence[tuple[str, Pair | None]]
"""Ids of photos, and the classes to compare on each; None for its two likeliest."""


def check_head(head: Head | None) -> None:
    """Raise `UsageError` for a head that does not answer by texts; None is zero-shot."""
    if head is not None and not isinstance(head, ZeroShot):
        raise UsageError(
            f"--explain shows where the texts of classes are seen, and the head {head.name} answers"
            " by what it has learnt from images; give --classes instead of --head."
        )


def mistaken_pairs(predictions: Path, classes: ClassList, most: int) -> Chosen:
    """The images that were named wrongly with the highest probability, true class first."""
    columns = ["id", "label", "prediction", "probability"]
    rows = pq.read_table(predictions, columns=columns, filters=[("correct", "==", False)])
    wrong = rows.sort_by([("probability", "descending")]).slice(0, most).to_pylist()
    return [
        (row["id"], (classes.index(row["label"]), classes.index(row["prediction"])))
        for row in wrong
    ]


def least_sure(predictions: Path, most: int) -> Chosen:
    """The images whose answer is the least probable: those that a person would check."""
    rows = pq.read_table(predictions, columns=["id", "probability"])
    ids = rows.sort_by([("probability", "ascending")]).slice(0, most)["id"]
    return [(identity, None) for identity in ids.to_pylist()]


def add_explanations(
    session: Session,
    data: Dataset,
    classes: ClassList,
    head: ZeroShot,
    prompts: PromptSet,
    folder: RunFolder,
    chosen: Chosen,
) -> None:
    """Explain some images of a job, and write what is found into its run folder."""
    places = {identity: place for place, identity in enumerate(data.manifest.ids)}
    photos = data.rows(np.array([places[identity] for identity, _ in chosen], dtype=np.intp))
    explainer = make_explainer(session, classes, head, prompts)
    explained = explain_photos(session, explainer, photos, [pair for _, pair in chosen])
    _, details = write_explanations(folder, explained, explainer, DENSE)
    text = json.dumps(details, indent=2, ensure_ascii=False)
    folder.write_text(FILE, text + "\n")
