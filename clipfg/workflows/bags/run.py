"""Bags: heads that learn from labels of whole bags, compared, and the first of them saved."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from clipfg.confidence import AnswerColumns, Confidence
from clipfg.errors import DataError, UsageError
from clipfg.evaluation.bags.report import BagReport
from clipfg.evaluation.page import render_page
from clipfg.evaluation.serialization import to_json
from clipfg.heads import HEADS, FeatureSets, save_head
from clipfg.heads.bags.base import BagHead
from clipfg.heads.support import Support
from clipfg.options import BagsOptions
from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.answers import EXTRA, answer_columns, answer_options, log_guarantees
from clipfg.workflows.bags.galleries import FILES, bag_galleries
from clipfg.workflows.bags.instances import BaggedData, Instances, gathered
from clipfg.workflows.bags.rows import INSTANCES, BagRows
from clipfg.workflows.bags.scoring import judge
from clipfg.workflows.bags.trials import BagTrial, BagTrials
from clipfg.workflows.dataset import default_split
from clipfg.workflows.protocol.splits import TRAIN
from clipfg.workflows.run_folder import Run, RunFolder
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

BAGS = "bags"
"""Under what name a saved head carries by what its bags were made."""
NEGATIVE = {"negative", "neg", "normal", "healthy", "benign", "background", "absent", "none", "no"}
NO_NEGATIVE = "-"


@dataclass(frozen=True)
class BagsRun(Run):
    """A finished comparison: `report`, and the file of the head that was saved, if any."""

    report: BagReport
    saved: Path | None

    def rows(self) -> list[dict[str, Any]]:
        """A row a head."""
        return self.report.rows()


def run_bags(session: Session[BagsOptions]) -> BagsRun:
    """Compare heads on bags of `--dataset`. Raises `ClipfgError`s."""
    options = session.options
    names = _heads(options.heads)
    _check_options(options)
    data = BaggedData.of(session.whole(), options, session.failures)
    classes = data.items.classes
    answer_options(options).check(classes)
    negative = negative_class(options.negative, classes)
    data, tested = _labelled(data, _test_split(session, data))
    session.open_encoder_if_needed(data.items)
    made_by = session.provenance(data.items)
    facts = {"heads": ",".join(names), "fingerprint": made_by.fingerprint}
    facts["manifest"] = data.items.manifest.digest
    with session.run_folder(data.items.name, **facts) as folder:
        found = gathered(session, data)
        labels = data.labels[found.bags]
        seeds = range(options.seed, options.seed + options.seeds)
        trials = BagTrials(names, negative, seeds, session.progress("Training"))
        test = np.flatnonzero(tested[found.bags])
        learnt = np.flatnonzero(~tested[found.bags])
        _check_classes(labels[learnt], classes)
        sets, truth = found.sets[torch.from_numpy(learnt)], torch.from_numpy(labels[learnt])
        head, held, done = None, learnt, []
        if len(test):
            done, head = trials.on_test(sets, truth, found.sets[torch.from_numpy(test)])
            held = test
        else:
            done, rows = trials.on_folds(sets, truth, options.folds)
            held = learnt[rows]
        answers = None
        if options.save is not None or answer_options(options):
            head = head or trials.fit(names[0], sets, truth, options.seed)
            confidence = _confidence(head, sets, truth, len(classes), options.seed)
            answers = answer_columns(options, classes, confidence)
            log_guarantees(answers)
        report = _report(session, data, found, held, done, len(test) == 0, names)
        shown = answers if len(test) else None
        _write(folder, data, classes, found, held, done[0], negative, options.top_k, shown)
        remarks = _measured(shown, done[0], labels[held]) if shown else ()
        report = replace(report, remarks=(*report.remarks, *remarks))
        folder.results = to_json(report)
        if data.tiling is not None:
            data.tiling.write_previews(folder)
            data.tiling.write_heat(folder, folder.part(INSTANCES))
        if options.html:
            groups = bag_galleries(*map(folder.part, FILES))
            folder.write_text("report.html", render_page(report, galleries=groups))
    if options.save is not None and head is not None:
        extras: dict[str, dict[str, Any]] = {BAGS: _made_by(options)}
        if answers is not None and answers.confidence is not None:
            extras[EXTRA] = answers.confidence.to_fields()
        save_head(options.save, cast(Any, head), classes, extras=extras, **vars(made_by))
        logger.info(f"Saved {names[0]}: {options.save}")
    return BagsRun(folder.path, len(found.rows), len(session.failures), report, options.save)


def negative_class(asked: str | None, classes: ClassList) -> int | None:
    """The class whose bags hold nothing of their own; None for no such class, which is said.

    Raises `UsageError` for a name that is no class.
    """
    if asked == NO_NEGATIVE:
        return None
    if asked is not None:
        if asked not in classes:
            raise UsageError(
                f"Expected for --negative a class, of {', '.join(classes.names[:8])}, or"
                f" {NO_NEGATIVE} for none, got {asked!r}."
            )
        return classes.index(asked)
    known = [i for i, name in enumerate(classes.names) if name.strip().lower() in NEGATIVE]
    if len(known) != 1:
        logger.info(
            "Each class is taken to have instances of its own; name the class whose bags hold"
            " nothing special, if there is one, by --negative"
        )
        return None
    name = classes.names[known[0]]
    logger.info(f"Bags of {name!r} are taken to hold nothing of their own (--negative)")
    return known[0]


def _made_by(options: BagsOptions) -> dict[str, Any]:
    """How bags are made, for those who use the head."""
    return {
        name: getattr(options, name) for name in ("bag_by", "tiles", "overlap", "level", "blank")
    }


def _heads(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(","))
    for name in names:
        if HEADS.get(name).consumes != "bags":
            known = ", ".join(x for x in HEADS if HEADS.summary(x).startswith("Bags:"))
            raise UsageError(f"Expected heads on bags, of {known}, got {name!r}.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"Head {twice!r} is listed twice.")
    return names


def _check_options(options: BagsOptions) -> None:
    if options.unknown:
        raise UsageError("--unknown is about single images and cannot be told of bags.")
    if options.limit is not None:
        raise UsageError("--limit would cut bags apart; give data with fewer bags.")
    if (save := options.save) and (save.is_dir() or not save.absolute().parent.is_dir()):
        raise UsageError(f"--save must name a file in an existing folder, got {save}.")


def _test_split(session: Session[BagsOptions], data: BaggedData) -> str | None:
    """The split to test on; None for data without splits, which are tested on in folds."""
    options, splits = session.options, data.items.manifest.splits
    if not splits:
        if options.split is not None:
            data.items.select(options.split)  # says that there is none
        return None
    if TRAIN not in splits:
        raise UsageError(
            f"{data.items.name} has no split {TRAIN!r} to learn from, only {', '.join(splits)}."
        )
    split = options.split or default_split(options.dataset, data.items.manifest)
    if split is None and "val" in splits:
        split = "val"
    if split in (None, TRAIN, "all"):
        raise UsageError(f"Expected --split to name bags to test on, of {', '.join(splits)}.")
    data.items.select(split)
    return split


def _labelled(data: BaggedData, split: str | None) -> tuple[BaggedData, NDArray[np.bool_]]:
    """The labelled bags that are learnt from or tested on, and which of them are tested on."""
    known, splits = data.labels != UNLABELLED, np.array(data.splits, dtype=object)
    if not known.all():
        logger.info(f"Left out: {int((~known).sum()):,} bags without a label")
    used = known if split is None else known & np.isin(splits, [TRAIN, split])
    if not used.any():
        data.items.labelled()  # says what labels look like
    tested = (splits == split) if split is not None else np.zeros(len(splits), dtype=bool)
    if split is not None and not (used & tested).any():
        raise DataError(f"Expected labelled bags in the split {split!r}, got none.")
    return data.bags(used), tested[used]


def _check_classes(labels: NDArray[np.int64], classes: ClassList) -> None:
    counts = np.bincount(labels, minlength=len(classes))
    if (empty := np.flatnonzero(counts == 0)).size:
        raise DataError(
            f"Expected bags of each class to learn from, got none of {classes.names[empty[0]]!r}"
            f" ({empty.size:,} of {len(classes):,} classes have none)."
        )


def _confidence(
    head: BagHead, sets: FeatureSets, labels: torch.Tensor, classes: int, seed: int
) -> Confidence | None:
    """From folds of the bags that are learnt from; None where none can be held out."""
    support = Support(cast(Any, sets), labels, classes)
    if not len(support.held_out([seed])):
        logger.warning("The head is not calibrated: that takes two bags of a class.")
        return None
    return Confidence.fit(cast(Any, head), support, seed=seed)


def _report(
    session: Session[BagsOptions],
    data: BaggedData,
    found: Instances,
    held: NDArray[np.int64],
    done: list[BagTrial],
    folds: bool,
    names: tuple[str, ...],
) -> BagReport:
    options, encoder = session.options, session.encoder
    labels = data.labels[found.bags]
    estimated = (
        f"Each bag is answered by heads that were fitted to the other {options.folds - 1} of"
        f" {options.folds} folds, and each seed is another partition."
        if folds
        else ""
    )
    context = {
        "data": data.items.name,
        "tested on": "folds"
        if folds
        else f"{len(held):,} bags, learnt from {len(labels) - len(held):,}",
        "model": encoder.name if encoder else "",
    }
    instances = int(found.sets.offsets.diff()[torch.from_numpy(held)].sum())
    classes = len(data.items.classes)
    cells = judge(done, labels[held])
    return BagReport(len(held), instances, classes, names[0], cells, estimated, context)


def _write(
    folder: RunFolder,
    data: BaggedData,
    classes: ClassList,
    found: Instances,
    held: NDArray[np.int64],
    trial: BagTrial,
    negative: int | None,
    top_k: int,
    answers: AnswerColumns | None,
) -> None:
    """The first head's answers by its first seed."""
    evidence = [k for k in range(len(classes)) if k != negative]
    rows = np.concatenate([found.places(int(bag)) for bag in held])
    part = Instances(found.sets[torch.from_numpy(held)], rows, found.bags[held])
    logits = torch.from_numpy(trial.logits[0]).float()
    with BagRows(folder, data, classes, evidence, top_k, answers) as writer:
        writer.write(part, logits, torch.cat(trial.scores), labelled=True)


def _measured(
    answers: AnswerColumns, trial: BagTrial, labels: NDArray[np.int64]
) -> tuple[str, ...]:
    """What the test bags say of the guarantees that were asked for."""
    truth = torch.from_numpy(labels)
    shares = answers.calibrated(torch.from_numpy(trial.logits[0]).float()).softmax(dim=1)
    said = []
    if answers.options.target_error is not None:
        given = answers.answered(shares)
        wrong = int((given & (shares.argmax(dim=1) != truth)).sum())
        said.append(f"Answered {int(given.sum()):,} of {len(truth):,} test bags, {wrong:,} wrong.")
    if (sets := answers.sets(shares)) is not None:
        inside = int(sets.gather(1, truth[:, None]).sum())
        size = float(sets.sum(dim=1).double().mean())
        said.append(
            f"Sets hold the true class of {inside:,} of {len(truth):,} test bags; their mean size"
            f" is {size:.2f}."
        )
    return tuple(said)
