"""Suggest: which images to label next, so that each label teaches as much as it can."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from clipfg.acquisition.base import STRATEGIES, UnlabelledPool
from clipfg.data.readers.labels import relabel
from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import cosine_logits
from clipfg.options import SuggestOptions
from clipfg.types import UNLABELLED, ClassList, equal_rows
from clipfg.workflows.class_texts import check_prompts, class_weights
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.pool import FeaturePool
from clipfg.workflows.protocol.listed_images import read_listed, with_labels
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session
from clipfg.workflows.suggest.page import render, write_csv
from clipfg.workflows.suggest.probabilities import CalibratedClassifier
from clipfg.workflows.suggest.ranking import Suggestion, rank

logger = logging.getLogger("clipfg")

DEFAULT = "uherding"
"""Among the best in the simulations of docs/suggest.md."""

UNCERTAIN = ("badge", "entropy", "margin")
"""Strategies that are random where no class probabilities are known."""


@dataclass(frozen=True)
class SuggestRun(Run):
    """Finished suggestions, the first to label first."""

    suggestions: list[Suggestion]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each image."""
        return [vars(suggestion) for suggestion in self.suggestions]


def run_suggest(session: Session[SuggestOptions]) -> SuggestRun:
    """Rank `--budget` images of `--dataset` that have no label, in all splits unless one is named.

    Raises `ClipfgError`s: an unknown strategy, data in which every image has a label.
    """
    options = session.options
    strategy = options.strategy or DEFAULT
    STRATEGIES.get(strategy)  # a misspelt name costs no embedding
    data, own = _counted_labels(session, session.dataset(options.split or "all"))
    if session.open_encoder_if_needed(*(part for part in (data, own) if part is not None)):
        check_prompts(options, data.manifest)  # neither does a misspelt prompt set
    facts = {"strategy": strategy, "manifest": data.manifest.digest}
    with session.run_folder(data.name, **facts) as folder:
        pool, labelled = _pools(session, data, own)
        classes = data.manifest.classes or (own.manifest.classes if own else None)
        probabilities, names = _probabilities(session, data, pool, labelled, classes)
        if probabilities is None and strategy in UNCERTAIN:
            logger.warning(
                f"--strategy {strategy} needs class probabilities, has none and chooses at random;"
                " name the classes by --classes, or label images of two classes."
            )
        known = labelled.features if labelled is not None else pool.features[:0]
        candidates = UnlabelledPool(pool.features, known, probabilities, options.seed)
        suggestions = rank(pool, candidates, names, strategy, options.budget)
        run = SuggestRun(folder.path, len(pool), len(session.failures), suggestions)
        folder.results = {"suggestions": run.rows()}
        write_csv(suggestions, folder.part("suggestions.csv"))
        if options.html:
            folder.write_text("suggestions.html", render(suggestions, data.name, strategy))
    return run


def _counted_labels(
    session: Session[SuggestOptions], data: Dataset
) -> tuple[Dataset, Dataset | None]:
    """The data with the labels that count, and the person's own labelled images, if any.

    With `--labelled` the labels of the listed images count and no others: the file's label, or
    where it has none the data's. An image that has none in either may be suggested again.
    """
    options, classes = session.options, data.manifest.classes
    if options.own_labels is not None and options.labelled is not None:
        raise UsageError("--own-labels and --labelled cannot be combined.")
    if options.labelled is not None:
        rows, given, classes = read_listed(options.labelled, data)
        labels = np.full(len(data), UNLABELLED)
        labels[rows] = np.where(given != UNLABELLED, given, data.manifest.labels[rows])
        return with_labels(data, labels, classes), None
    if options.own_labels is None:
        return data, None
    own = session.whole(options.own_labels, use_classes=False)
    if classes is not None:
        own = replace(own, manifest=relabel(own.manifest, classes))
    return data, own


def _pools(
    session: Session[SuggestOptions], data: Dataset, own: Dataset | None
) -> tuple[FeaturePool, FeaturePool | None]:
    """Images to choose from, each content once, and those with a label or None."""
    everything = session.pool(data)
    labelled = session.pool(own) if own is not None else None
    if labelled is not None:
        labelled = labelled.rows(np.flatnonzero(labelled.labels != UNLABELLED))
    known = np.flatnonzero(everything.labels != UNLABELLED)
    if labelled is None and len(known):
        labelled = everything.rows(known)
    elif len(known):
        logger.info(f"{len(known):,} images of {data.name} have labels too and are excluded")
    unlabelled = np.flatnonzero(everything.labels == UNLABELLED)
    pool = everything.rows(_new(everything, unlabelled, labelled))
    if not len(pool):
        raise DataError(
            f"Expected images without a label to choose from, all {len(everything):,} of"
            f" {data.name} have one; try --simulate, or name those that count as labelled by"
            " --labelled FILE."
        )
    return pool, labelled


def _new(
    everything: FeaturePool, unlabelled: NDArray[np.intp], labelled: FeaturePool | None
) -> NDArray[np.intp]:
    """The unlabelled images whose content is not labelled elsewhere, each content once."""
    known = labelled.features if labelled is not None else everything.features[:0]
    rows = torch.cat([known, everything.features[torch.from_numpy(unlabelled)]])
    first = equal_rows(rows.numpy())[len(known) :]
    return unlabelled[first == np.arange(len(known), len(rows))]


def _probabilities(
    session: Session[SuggestOptions],
    data: Dataset,
    pool: FeaturePool,
    labelled: FeaturePool | None,
    classes: ClassList | None,
) -> tuple[Float[Tensor, "n c"] | None, list[str]]:
    """Class probabilities of the pool, and the names of their classes.

    They come from texts as long as a class has no label, and from a head trained on labels and
    texts from then on; without an encoder, from a head for the classes that have labels. None
    without a class list, and where there is too little to tell classes apart by.
    """
    if classes is None:
        return None, []
    labels = torch.from_numpy(labelled.labels) if labelled is not None else torch.zeros(0).long()
    present = torch.unique(labels)
    texts = None
    if session.encoder is not None:
        texts = class_weights(session, data.manifest, classes)
        if len(present) < len(classes):
            logits = cosine_logits(pool.features, texts, session.encoder.logit_scale)
            return logits.softmax(dim=1), list(classes.names)
    if labelled is None or len(present) < 2:
        return None, []
    seed, groups = session.options.seed, labelled.groups
    head = CalibratedClassifier.of(labelled.features, labels, texts, seed, groups)
    return head.probabilities(pool.features), [classes.names[i] for i in head.classes.tolist()]
