"""Bags: heads that learn from labels of whole bags, compared, and the first of them saved."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipfg.confidence import AnswerColumns, Confidence
from clipfg.errors import DataError, UsageError
from clipfg.evaluation.bags.report import BagReport
from clipfg.evaluation.page import render_page
from clipfg.evaluation.serialization import to_json
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.heads import HEADS, FeatureSets, save_head
from clipfg.heads.bags.base import BagHead
from clipfg.heads.support import Support
from clipfg.options import BagsOptions
from clipfg.workflows.answers import EXTRA, answer_columns, answer_options, log_guarantees
from clipfg.workflows.bags.copies import copied
from clipfg.workflows.bags.galleries import bag_galleries
from clipfg.workflows.bags.instances import BaggedData, Instances, gathered
from clipfg.workflows.bags.roles import (
    check_classes,
    labelled_bags,
    negative_class,
    test_split,
)
from clipfg.workflows.bags.rows import INSTANCES, BagRows
from clipfg.workflows.bags.scoring import judge
from clipfg.workflows.bags.trials import BagTrial, BagTrials
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.run_folder import Run, RunFolder
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

BAGS, MADE = "bags", ("bag_by", "tiles", "overlap", "level", "blank")
"""Under what name a saved head carries how its bags were made, and by which options."""


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
    data = BaggedData.of(session.whole(grouped=False), options, session.failures)
    data.check_several()
    classes = data.items.classes
    answer_options(options).check(classes)
    negative = negative_class(options.negative, classes)
    data, tested = labelled_bags(data, test_split(session, data))
    session.open_encoder_if_needed(data.items)
    made_by = session.provenance(data.items)
    facts = {"heads": ",".join(names), "fingerprint": made_by.fingerprint}
    facts["manifest"] = data.items.manifest.digest
    with session.run_folder(data.items.name, **facts) as folder:
        seeds = range(options.seed, options.seed + options.seeds)
        trials = BagTrials(names, negative, seeds, session.progress("Training"))
        found = gathered(session, data)
        bags = TriedBags.of(found, data.labels, tested, len(classes))
        done, head = _compare(trials, bags, options.folds)
        answers = None
        if options.save is not None or answer_options(options):
            head = head or trials.fit(names[0], *bags.learnt, options.seed)
            answers = answer_columns(options, classes, _confidence(head, bags, options))
            log_guarantees(answers)
        # Heads of folds are not the one that is calibrated.
        shown = None if bags.folds else answers
        _write(folder, data, bags, done[0], negative, options.top_k, shown)
        remarks = (*_copies(bags, data), *(_measured(shown, done[0], bags) if shown else ()))
        report = _report(session, data.items, bags, done, remarks)
        folder.results = to_json(report)
        if data.tiling is not None:
            by_bag = HEADS.get(names[0]).attention  # type: ignore[attr-defined]
            data.tiling.write(folder, folder.part(INSTANCES), by_bag)
        if options.html:
            groups = bag_galleries(folder.path, ".part")
            folder.write_text("report.html", render_page(report, galleries=groups))
    if options.save is not None and head is not None:  # a full disk here costs no result
        extras: dict[str, dict[str, Any]] = {BAGS: {name: getattr(options, name) for name in MADE}}
        if answers is not None and answers.confidence is not None:
            extras[EXTRA] = answers.confidence.to_fields()
        save_head(options.save, cast(Any, head), classes, extras=extras, **vars(made_by))
        logger.info(f"Saved {names[0]}: {options.save}")
    return BagsRun(folder.path, len(found.rows), len(session.failures), report, options.save)


@dataclass(frozen=True)
class TriedBags:
    """Bags with labels `[b]`, and the places of those that are learnt from and of those tested.

    Where `folds`, the same bags are both, in folds.
    """

    found: Instances
    labels: NDArray[np.int64]
    learning: NDArray[np.int64]
    held: NDArray[np.int64]
    classes: int
    folds: bool

    @classmethod
    def of(
        cls,
        found: Instances,
        labels: NDArray[np.int64],
        tested: NDArray[np.bool_] | None,
        classes: int,
    ) -> Self:
        """`labels` and `tested`, which bags are only tested, are of all bags of the data.

        None for the latter where all are tested, in folds.
        """
        labels, tested = labels[found.bags], None if tested is None else tested[found.bags]
        check_classes(labels if tested is None else labels[~tested], classes)
        places = np.arange(len(labels))
        if tested is None:
            # The only bag of a class is never held out.
            several = np.bincount(labels, minlength=classes)[labels] > 1
            return cls(found, labels, places, places[several], classes, True)
        return cls(found, labels, places[~tested], places[tested], classes, False)

    @property
    def learnt(self) -> tuple[FeatureSets, Tensor]:
        """Sets and labels of all bags that are learnt from."""
        rows = torch.from_numpy(self.learning)
        return self.found.sets[rows], torch.from_numpy(self.labels)[rows]

    @property
    def tested(self) -> Instances:
        """The bags that are tested."""
        return self.found.some(self.held)

    @property
    def truth(self) -> NDArray[np.int64]:
        """Their labels."""
        return self.labels[self.held]


def _compare(
    trials: BagTrials, bags: TriedBags, folds: int
) -> tuple[list[BagTrial], BagHead | None]:
    """What each head says of the tested bags; the first head, where it has learnt from the rest."""
    if not len(bags.held):
        raise DataError(
            "Expected two bags of a class, or bags to test on, got none; where each folder is a"
            " bag, --label-level 1 says that the class is named above it."
        )
    if bags.folds:
        return trials.on_folds(*bags.learnt, folds), None
    return trials.on_test(*bags.learnt, bags.tested.sets)


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
    if (save := options.save) and (save.is_dir() or not save.absolute().parent.is_dir()):
        raise UsageError(f"--save must name a file in an existing folder, got {save}.")


def _confidence(head: BagHead, bags: TriedBags, options: BagsOptions) -> Confidence | None:
    """From folds of the bags that are learnt from; None where none can be held out."""
    sets, labels = bags.learnt
    support = Support(sets.means, labels, bags.classes, bags=sets)
    if not len(support.held_out([options.seed])):
        logger.warning("The head is not calibrated: that takes two bags of a class.")
        return None
    return Confidence.fit(cast(Any, head), support, seed=options.seed, unknown=options.unknown)


def _report(
    session: Session[BagsOptions],
    items: Dataset,
    bags: TriedBags,
    done: list[BagTrial],
    remarks: tuple[str, ...],
) -> BagReport:
    encoder = session.encoder
    folds = min(session.options.folds, int(np.bincount(bags.labels).max()))  # as they are dealt
    how = (
        f"Each bag is answered by heads that were fitted to the other {folds - 1} of {folds} folds,"
        " and each seed is another partition."
    )
    learnt = f"{len(bags.held):,} bags, learnt from {len(bags.learning):,}"
    return BagReport(
        n=len(bags.held),
        instances=len(bags.tested.rows),
        classes=bags.classes,
        first=done[0].head,
        cells=judge(done, bags.truth),
        estimated=how if bags.folds else "",
        context={
            "data": items.name,
            "tested on": "folds" if bags.folds else learnt,
            "model": encoder.name if encoder else "",
        },
        remarks=remarks,
    )


def _write(
    folder: RunFolder,
    data: BaggedData,
    bags: TriedBags,
    trial: BagTrial,
    negative: int | None,
    top_k: int,
    answers: AnswerColumns | None,
) -> None:
    """The first head's answers by its first seed."""
    classes = data.items.classes
    evidence = [k for k in range(len(classes)) if k != negative]
    logits = torch.from_numpy(trial.logits[0]).float()
    with BagRows(folder, data, classes, evidence, top_k, answers) as writer:
        writer.write(bags.tested, logits, torch.cat(trial.scores), labelled=True)


def _copies(bags: TriedBags, data: BaggedData) -> tuple[str, ...]:
    """A warning where tested bags are known from those that are learnt from."""
    twice = copied(bags.found, bags.learning, bags.held)
    if not len(twice):
        return ()
    said = (
        f"All images of {len(twice):,} of {len(bags.held):,} tested bags, such as"
        f" {data.names[bags.found.bags[twice[0]]]!r}, are in another bag that is learnt from:"
        " figures are too good."
    )
    logger.warning(said)
    return (said,)


def _measured(answers: AnswerColumns, trial: BagTrial, bags: TriedBags) -> tuple[str, ...]:
    """What the test bags say of the guarantees that were asked for."""
    truth = torch.from_numpy(bags.truth)
    calibrated = answers.calibrated(torch.from_numpy(trial.logits[0]).float())
    shares = calibrated.softmax(dim=1)
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
    if (familiar := answers.familiarity(bags.tested.sets, calibrated)) is not None:
        called = int((familiar <= FALSE_ALARMS).sum())
        said.append(
            f"Called {called:,} of {len(truth):,} test bags, all of known classes, unknown."
        )
    return tuple(said)
