"""`clipfg suggest --simulate`: strategies replayed on a labelled data set."""

import logging
from dataclasses import dataclass
from typing import Any

import torch

from clipfg.acquisition.base import STRATEGIES
from clipfg.errors import UsageError
from clipfg.settings import Settings
from clipfg.types import Progress
from clipfg.workflows.classify import Run
from clipfg.workflows.pool import gather
from clipfg.workflows.protocol.leakage import without_copies, without_leaks
from clipfg.workflows.protocol.splits import open_support_and_test
from clipfg.workflows.run_folder import RunFolder, default_folder
from clipfg.workflows.session import check_same_encoder, open_cache, open_encoder
from clipfg.workflows.suggest.simulation import SimulationResult, budgets_from, replay

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class SimulationRun(Run):
    """A finished replay."""

    replay: SimulationResult

    def rows(self) -> list[dict[str, object]]:
        """A row for each strategy and number of labels."""
        return self.replay.rows()


def run_simulation(settings: Settings, *, progress: Progress | None = None) -> SimulationRun:
    """Replay the strategies of `--strategy`, all of them by default, against random.

    They ask about the train split, and the test split is what accuracy is measured on; data without
    splits are halved by class. Raises `ClipfgError`s, for data without labels among them.
    """
    given = (settings.strategy or "").split(",")
    asked = [name.strip() for name in given if name.strip()] or list(STRATEGIES)
    for name in asked:
        STRATEGIES.get(name)
    if settings.own_labels is not None or settings.support is not None:
        raise UsageError("Expected --simulate to begin with no labels, got some; leave them away.")
    roles = open_support_and_test(settings)
    assert roles.test is not None  # only own labels come without
    with open_cache(settings) as cache:
        encoder = None
        if roles.support.features is None or settings.model is not None:
            encoder = open_encoder(settings, cache, roles.support)
            if roles.support.features is not None:
                check_same_encoder(roles.support.features, encoder)
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "suggest --simulate",
            "model": encoder.name if encoder else None,
            "strategy": ",".join(asked),
        }
        model = encoder.name if encoder else ""
        path = settings.output or default_folder("suggest-simulate", roles.name, model)
        with RunFolder(path, resolved) as folder:
            support, test = (
                gather(part, encoder, settings, cache, folder.fail, None)
                for part in (roles.support, roles.test)
            )
            rows, remarks = without_copies(support)
            support = support.rows(rows)
            kept, leaks = without_leaks(support, test, same_ids=True)
            test = test.rows(kept)
            for remark in (*remarks, *leaks):
                logger.warning(remark)
            done = replay(
                asked,
                support.features,
                torch.from_numpy(support.labels),
                (test.features, torch.from_numpy(test.labels)),
                budgets_from(settings.budget, len(support)),
                range(settings.seed, settings.seed + settings.seeds),
                progress,
            )
            folder.results = {"rows": done.rows(), "remarks": [*remarks, *leaks]}
            title = f"{roles.name}: {len(test):,} test images, {settings.seeds} seeds"
            folder.part("curve.png").write_bytes(done.grid(title).chart().to_png())
    return SimulationRun(path, len(support) + len(test), folder.failures, done)
