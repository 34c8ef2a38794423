"""`clipfg predict` with a head on bags: a row for each bag, and one for each instance."""

import logging
from dataclasses import replace

import numpy as np

from clipfg.errors import DataError, UsageError
from clipfg.heads.bags.base import BagHead
from clipfg.heads.saving import SavedHead
from clipfg.options import PredictOptions
from clipfg.workflows.answers import answer_columns, confidence_of, log_guarantees
from clipfg.workflows.bags.instances import BaggedData, blocks
from clipfg.workflows.bags.rows import INSTANCES, BagRows
from clipfg.workflows.bags.run import BAGS
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.run_folder import RunFolder
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")


def as_learnt(options: PredictOptions, saved: SavedHead) -> PredictOptions:
    """With bags like those that the head has learnt from, where no others are asked for."""
    known = dict(saved.extras.get(BAGS, {}))
    by = options.bag_by or known.pop("bag_by", None)
    return replace(options, **({} if options.tiles else known) | {"bag_by": by})


def open_bags(session: Session[PredictOptions], data: Dataset) -> BaggedData:
    """The items in bags. Raises `UsageError` for options that are of single images."""
    options = session.options
    given = {
        "--group-by": options.group_by,
        "--to": options.to,
        "--explain": options.explain,
        "--within": options.within,
        "--without": options.without,
    }
    if flag := next((flag for flag, value in given.items() if value), None):
        raise UsageError(
            f"{flag} is about single images or patches and cannot be combined with a head on bags."
        )
    return BaggedData.of(data, options, session.failures)


def predict_bags(
    session: Session[PredictOptions], data: BaggedData, saved: SavedHead, folder: RunFolder
) -> int:
    """Write both files, and return how many items were used."""
    head, classes = saved.head, saved.classes
    assert isinstance(head, BagHead)
    assert classes is not None
    answers = answer_columns(session.options, classes, confidence_of(saved))
    log_guarantees(answers)
    done = 0
    with BagRows(folder, data, classes, head.evidence, session.options.top_k, answers) as rows:
        for block in blocks(session, data):
            start = 0
            for logits, scores in head.read(block.sets):
                stop = start + len(logits)
                rows.write(block.some(np.arange(start, stop)), logits, scores)
                start = stop
            done += len(block.rows)
    if not done:
        raise DataError(f"Expected images that can be used, {data.items.name} has none.")
    if data.tiling is not None:
        data.tiling.write(folder, folder.part(INSTANCES), head.attention)
    folder.results = {"bags": rows.bags, "images": done, "skipped": len(session.failures)}
    if answers is not None and answers.options:
        folder.results["guarantees"] = list(answers.notes)
    return done
