"""Which bags are learnt from and which are tested on, and the class that has nothing of its own."""

import logging

import numpy as np
from numpy.typing import NDArray

from clipfg.errors import DataError, UsageError
from clipfg.options import BagsOptions
from clipfg.types import UNLABELLED, ClassList
from clipfg.workflows.bags.instances import BaggedData
from clipfg.workflows.dataset import default_split
from clipfg.workflows.protocol.splits import TRAIN
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

NEGATIVE = {"negative", "neg", "normal", "healthy", "benign", "background", "absent", "none", "no"}
NO_NEGATIVE = "-"


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


def test_split(session: Session[BagsOptions], data: BaggedData) -> str | None:
    """The split to test on; None for data without splits, which are tested on in folds.

    Raises `UsageError` where there is no train split or no other.
    """
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


def labelled_bags(
    data: BaggedData, split: str | None
) -> tuple[BaggedData, NDArray[np.bool_] | None]:
    """The labelled bags that are learnt from or tested on, and which of them are only tested.

    None for that without a `split` to test on. Raises `DataError` where there is no such bag, and
    for one class alone to learn from or to test on.
    """
    known, splits = data.labels != UNLABELLED, np.array(data.splits, dtype=object)
    if not known.all():
        logger.info(f"Left out: {int((~known).sum()):,} bags without a label")
    used = known if split is None else known & np.isin(splits, [TRAIN, split])
    if not used.any():
        data.items.labelled()  # says what labels look like
    if len(kinds := np.unique(data.labels[used])) < 2:
        alone = data.items.classes.names[kinds[0]]
        raise DataError(
            f"Expected bags of two classes to tell apart, got those of {alone!r} alone."
        )
    tested = used if split is None else used & (splits == split)
    if not tested.any():
        raise DataError(f"Expected labelled bags in the split {split!r}, got none.")
    counts = np.bincount(data.labels[tested])
    if (counts > (split is None)).sum() == 1:  # in folds, the only bag of a class is learnt from
        how = "two of each, for folds" if split is None else f"bags of others in {split!r}"
        raise DataError(f"Expected bags of two classes to test on, got those of one; give {how}.")
    return data.bags(used), None if split is None else tested[used]


def check_classes(labels: NDArray[np.int64], classes: int) -> None:
    """Raises `DataError` for a class without a bag to learn from."""
    counts = np.bincount(labels, minlength=classes)
    if empty := int((counts == 0).sum()):
        raise DataError(
            f"Expected bags of each of {classes:,} classes to learn from, got none of {empty:,};"
            " give some of each, or raise --limit."
        )
