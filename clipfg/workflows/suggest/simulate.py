"""`clipfg suggest --simulate`: strategies replayed on a labelled data set."""

import logging
from dataclasses import dataclass
from typing import Any

import torch

from clipfg.acquisition.base import STRATEGIES
from clipfg.errors import UsageError
from clipfg.options import SuggestOptions
from clipfg.workflows.protocol.leakage import without_copies, without_leaks
from clipfg.workflows.protocol.splits import open_support_and_test
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session
from clipfg.workflows.suggest.simulation import SimulationResult, budgets_from, replay

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class SimulationRun(Run):
    """A finished simulation."""

    result: SimulationResult

    def rows(self) -> list[dict[str, Any]]:
        """A row for each strategy and number of labels."""
        return self.result.rows()


def run_simulation(session: Session[SuggestOptions]) -> SimulationRun:
    """Replay the strategies of `--strategy`, all of them by default, against random.

    They choose from the train split, and accuracy is measured on the test split; data without
    splits is halved by class. Raises `ClipfgError`s, for data without labels among them.
    """
    options = session.options
    given = (options.strategy or "").split(",")
    names = [name.strip() for name in given if name.strip()] or list(STRATEGIES)
    for name in names:
        STRATEGIES.get(name)  # a misspelt name costs no embedding
    for flag, value in (("--own-labels", options.own_labels), ("--labelled", options.labelled)):
        if value is not None:
            raise UsageError(
                f"--simulate starts with no labels and cannot be combined with {flag}."
            )
    roles = open_support_and_test(session)
    assert roles.test is not None  # only own labels come without
    session.open_encoder_if_needed(roles.support, roles.test)
    facts = {"command": "suggest --simulate", "strategy": ",".join(names)}
    with session.run_folder(roles.name, **facts) as folder:
        support, test = session.pool(roles.support), session.pool(roles.test)
        rows, copies = without_copies(support)
        support = support.rows(rows)
        kept, leaks = without_leaks(support, test, same_ids=True)
        test = test.rows(kept)
        remarks = [*roles.remarks, *copies, *leaks]
        for remark in remarks:
            logger.warning(remark)
        result = replay(
            names,
            support.features,
            torch.from_numpy(support.labels),
            (test.features, torch.from_numpy(test.labels)),
            budgets_from(options.budget, len(support)),
            range(options.seed, options.seed + options.seeds),
            session.progress("Simulating"),
            support.groups,
            None if test.groups is None else test.groups.numpy(),
        )
        folder.results = {"rows": result.rows(), "remarks": remarks}
        title = f"{roles.name}: {len(test):,} test images, {options.seeds} seeds"
        folder.part("curve.png").write_bytes(result.grid(title).chart().to_png())
    done = len(support) + len(test)
    return SimulationRun(folder.path, done, len(session.failures), result)
