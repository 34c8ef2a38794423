"""Which images count as labelled, before any is suggested."""

from dataclasses import replace

import numpy as np

from clipfg.data.readers.labels import relabel
from clipfg.errors import UsageError
from clipfg.options import SuggestOptions
from clipfg.types import UNLABELLED
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.protocol.listed_images import read_listed, with_labels
from clipfg.workflows.session import Session


def counted_labels(
    session: Session[SuggestOptions], data: Dataset
) -> tuple[Dataset, Dataset | None]:
    """The data with the labels that count, and the person's own labelled images, if any.

    With `--labelled` the labels of the listed images count and no others: the file's label, or
    where it has none the data's. An image that has none in either may be suggested again.

    Raises `UsageError` for both `--labelled` and `--own-labels`, and `DataError` as `read_listed`
    and `relabel` do.
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
