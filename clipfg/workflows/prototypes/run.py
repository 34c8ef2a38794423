"""Explain photos by the prototypes of a saved head."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from clipfg.embedding.pipeline import PATCHES
from clipfg.errors import DataError, ItemError, UsageError
from clipfg.heads import FeatureSets
from clipfg.options import ExplainOptions
from clipfg.types import UNLABELLED, Failure
from clipfg.workflows.class_texts import class_weights
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.prototypes.explain import PrototypeExplanation, explain_photo
from clipfg.workflows.prototypes.page import PAGE, write_explanations
from clipfg.workflows.prototypes.saved import PrototypeHead
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

METHOD = "prototypes"


@dataclass(frozen=True)
class PrototypeRun(Run):
    """Finished explanations, and the page that shows them."""

    explanations: tuple[PrototypeExplanation, ...]
    page: Path
    table: list[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        """A row per prototype, as `PrototypeExplanation.rows` has it."""
        return self.table


def explain_by_prototypes(
    session: Session[ExplainOptions], data: Dataset, known: PrototypeHead
) -> PrototypeRun:
    """Show the prototypes that speak for the answer on each photo.

    Photos that cannot be read go to the session's failures. Raises `ClipfgError`s.
    """
    options = session.options
    if data.features is not None:
        raise UsageError(f"Expected images to explain, {data.name} holds features alone.")
    encoder = session.open_encoder(data, like=known.saved)
    known.saved.check_encoder(encoder.fingerprint, encoder.dim)
    if session.boxes(data.manifest) is not None:
        raise UsageError(
            f"Expected whole images to explain, the items of {data.name} are boxes in them; try"
            " --crop whole."
        )
    session.dense = PATCHES
    with session.run_folder(data.name, head=str(options.head)) as folder:
        texts = class_weights(session, data.manifest, known.classes)
        features = session.features(data.manifest)
        if not len(features):
            raise DataError(f"Expected photos that can be read, {data.name} has none.")
        sets = FeatureSets.of_patches(features)
        uris = dict(zip(data.manifest.ids, data.manifest.uris, strict=True))
        names = data.manifest.classes.names if data.manifest.classes else ()
        explained = []
        for row, identity in enumerate(features.ids):
            label = int(features.labels[row])
            truth = None if label == UNLABELLED else names[label]
            photo = (identity, uris[identity], truth)
            one = sets[torch.tensor([row])]
            try:
                explained.append(explain_photo(known, encoder.preprocessing, photo, one, texts))
            except ItemError as error:  # its features were kept, but the photo has gone
                if options.strict:
                    raise
                session.failures.add(Failure(identity, uris[identity], "read", str(error)))
        table = write_explanations(folder, explained, known, encoder)
        folder.results = {"method": METHOD, "prototypes": table}
    page = folder.path / PAGE
    skipped = len(session.failures)
    return PrototypeRun(folder.path, len(explained), skipped, tuple(explained), page, table)
