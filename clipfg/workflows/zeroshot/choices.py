"""Items that bring their own texts: does the true one score highest?"""

import dataclasses
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clipfg.data.loading import load_choices
from clipfg.errors import DataError, UsageError
from clipfg.evaluation.choices.answers import Answer, Scores, ties, wins
from clipfg.evaluation.choices.evaluate import evaluate
from clipfg.evaluation.choices.report import ChoiceReport
from clipfg.evaluation.serialization import to_json
from clipfg.options import ZeroshotOptions
from clipfg.pages.formats import count
from clipfg.types import BOX, Choice, ChoiceSet
from clipfg.workflows.boxes import boxes_said, framing_of
from clipfg.workflows.class_texts import session_texts
from clipfg.workflows.dataset import Dataset, warn_if_incomplete
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

NO_MEANING = ("prompts", "ensemble", "classes", "within", "transductive", "roll_up", "top_k")
"""Options about classes, of which there are none."""

PREDICTIONS = "predictions.parquet"
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("uri", pa.string()),
        ("box", BOX),
        ("subset", pa.string()),
        ("pair", pa.string()),
        ("label", pa.string()),
        ("correct", pa.bool_()),
        ("tied", pa.bool_()),
        ("prediction", pa.string()),
        ("probability", pa.float32()),
        ("texts", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float32())),
    ]
)
"""`label` is the true text, `prediction` the one with the highest score; `scores` are the cosines
of `texts`, of which the first is true."""


@dataclass(frozen=True)
class ChoiceRun(Run):
    """A finished evaluation on choices; `done` counts items."""

    report: ChoiceReport

    @property
    def result(self) -> ChoiceReport:
        """What is shown of it."""
        return self.report

    def rows(self) -> list[dict[str, Any]]:
        """A row per subset and measure."""
        return self.report.rows()


def open_choices(options: ZeroshotOptions) -> ChoiceSet | None:
    """The choices that `--dataset` names, by `--split` and `--limit`; None for any other data.

    Raises `UsageError` for options that have no meaning there.
    """
    if options.dataset is None:
        return None
    choices = load_choices(options.dataset, data_root=options.data_root)
    if choices is None:
        return None
    for field in dataclasses.fields(options):
        if field.name in NO_MEANING and getattr(options, field.name) != field.default:
            raise UsageError(
                f"--{field.name.replace('_', '-')} has no meaning for {choices.name}, whose items"
                " bring their own texts; leave it out."
            )
    warn_if_incomplete(choices.images())
    return choices.select(options.split, options.limit, options.seed)


def run_choices(session: Session[ZeroshotOptions], choices: ChoiceSet) -> ChoiceRun:
    """Score every item's texts against its image, or its box.

    A box is read from the dense map of its image, or cut out of it where `--boxes-as crop` or
    `--crop` say so. Raises `DataError` where no item can be used, and `UsageError` for an encoder
    without patch features where they are needed.
    """
    started = time.monotonic()
    options = session.options
    if choices.has_boxes and options.boxes_as is None and options.crop is None:
        options = session.options = dataclasses.replace(options, boxes_as="region")
    images, parts = choices.images(), Dataset(choices.parts())
    what = f"{len(choices.subsets)} subsets" if len(choices.subsets) > 1 else choices.subsets[0]
    logger.info(f"Data: {choices.name}, {len(choices):,} items ({what}) on {len(images):,} images")
    if said := boxes_said(options, parts.manifest):
        logger.info(said)
    encoder = session.open_encoder(Dataset(images))
    for failure in choices.failures:
        session.failures.add(failure)
    with session.run_folder(choices.name, manifest=images.digest) as folder:
        try:
            answers = answer(session, choices, parts)
        except UsageError as error:  # an encoder without patches
            raise UsageError(f"{error} Or cut the boxes out: --boxes-as crop.") from None
        if not answers:
            raise DataError(f"Expected items of {choices.name} that can be used, got none.")
        seconds = time.monotonic() - started
        logger.info(f"Scored {len(answers):,} of {len(choices):,} items in {seconds:.1f} s")
        framing = framing_of(options, parts.manifest)
        context = {
            "data": choices.name,
            "split": options.split or "",
            "model": encoder.name,
            "precision": encoder.precision,
            "boxes": f"boxes as {framing.crop}" if framing else "",
        }
        report = evaluate(answers, options.seed, context, _remarks(choices, len(answers)))
        folder.results = to_json(report)
        write_answers(folder.part(PREDICTIONS), answers, encoder.logit_scale)
        if options.html:
            from clipfg.evaluation.page import render_page
            from clipfg.workflows.mistakes import surest_mistakes

            mistakes = surest_mistakes(folder.part(PREDICTIONS))
            folder.write_text("report.html", render_page(report, mistakes))
    return ChoiceRun(folder.path, len(answers), len(session.failures), report)


def answer(session: Session[ZeroshotOptions], choices: ChoiceSet, parts: Dataset) -> list[Answer]:
    """The scores of every item that can be used, in order; `parts` are those of `choices`."""
    assert session.encoder is not None
    texts = list(dict.fromkeys(text for choice in choices.choices for text in choice.texts))
    place = {text: row for row, text in enumerate(texts)}
    progress = session.progress("Embedding texts")
    embedded = session_texts(session, texts, choices.name, progress=progress)
    groups = list(choices.by_part.values())
    scored: dict[Choice, tuple[list[int], Scores]] = {}
    total = np.zeros(embedded.shape[1], dtype=np.float32)
    for batch in session.batches(parts):
        for position, feature in zip(batch.positions, batch.vectors, strict=True):
            for choice in groups[position]:
                rows = [place[text] for text in choice.texts]
                scored[choice] = (rows, embedded[rows] @ feature)
                total += feature
    blind = embedded @ (total / np.float32(max(len(scored), 1)))
    return [
        Answer(choice, scores, blind[rows])
        for choice in choices.choices
        if choice in scored
        for rows, scores in [scored[choice]]
    ]


def _remarks(choices: ChoiceSet, used: int) -> tuple[str, ...]:
    left_out = len(choices) - used + len(choices.failures)
    if not left_out:
        return ()
    listed = f"{count(left_out, 'item')} of {used + left_out:,}"
    return (f"{listed} could not be used and count nowhere; failures.jsonl has the reasons",)


def write_answers(path: Path, answers: Sequence[Answer], logit_scale: float) -> None:
    """A row for each answer, in `SCHEMA`."""
    rows = [
        {
            "id": one.choice.id,
            "uri": one.choice.uri,
            "box": one.choice.box,
            "subset": one.choice.subset,
            "pair": one.choice.pair or None,
            "label": one.choice.texts[0],
            "correct": wins(one.scores),
            "tied": ties(one.scores),
            "prediction": one.choice.texts[one.chosen],
            "probability": one.probability(logit_scale),
            "texts": one.choice.texts,
            "scores": one.scores.tolist(),
        }
        for one in answers
    ]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, compression="zstd")
