"""Coreset strategies side by side: accuracy of the nearest key against the number of keys."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clipfg.coresets import CORESETS, CoresetKeys, make_coreset
from clipfg.errors import DataError, UsageError
from clipfg.evaluation.curves.budget_curve import BudgetCell, BudgetCurve
from clipfg.evaluation.curves.grouped import GroupedFigures
from clipfg.evaluation.page import render_page
from clipfg.evaluation.serialization import to_json
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over
from clipfg.options import CoresetOptions
from clipfg.types import Estimate
from clipfg.workflows.coreset.run import budgets
from clipfg.workflows.coreset.source import store_to_condense, stored_data
from clipfg.workflows.pool import BLOCK, FeaturePool
from clipfg.workflows.protocol.leakage import without_leaks
from clipfg.workflows.protocol.splits import SupportAndTest, open_support_and_test, split_roles
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

FIRST = "class-mean"
"""The baseline: what every other strategy is compared with."""
FULL = "full support"
BUDGETS = "1,2,5,10"


@dataclass(frozen=True)
class ComparisonRun(Run):
    """A finished comparison."""

    curve: BudgetCurve

    def rows(self) -> list[dict[str, Any]]:
        """A row per strategy and budget."""
        return self.curve.rows()


def run_comparison(session: Session[CoresetOptions]) -> ComparisonRun:
    """Condense the train split by every strategy, budget and seed, and measure on the test split.

    Without `--strategy` all strategies are compared. Test images that are in the support too are
    excluded. Raises `ClipfgError`s, for data without such splits as `open_support_and_test` does.
    """
    options = session.options
    if options.stream:
        raise UsageError("--stream takes one strategy and one budget and compares nothing.")
    if options.total is not None:
        raise UsageError("--total cannot be compared; give --per-class a list of numbers.")
    names = _names(options.strategy)
    per_class = budgets(options.per_class or BUDGETS)
    seeds = range(options.seed, options.seed + options.seeds)
    store = store_to_condense(options)
    if store is None:
        roles = open_support_and_test(session)
    else:
        roles = split_roles(session, session.grouped(stored_data(store)))
    assert roles.test is not None
    encoder = session.open_encoder_if_needed(roles.test)
    facts = {
        "strategy": ",".join(names),
        "per_class": ",".join(map(str, per_class)),
        "manifest": roles.test.manifest.digest,
        "support_manifest": roles.support.manifest.digest,
    }
    with session.run_folder(roles.name, **facts) as folder:
        support, test = session.pool(roles.support), session.pool(roles.test)
        test, remarks = _checked(support, test)
        context = {
            "data": roles.name,
            "support": f"{roles.source}, {len(support):,} images",
            "test": roles.tested,
            "model": encoder.name if encoder else "",
        }
        curve = compare(support, test, names, per_class, seeds)
        if roles.by_pictures is not None:
            figures = _by_pictures(session, roles.by_pictures, curve, test)
            curve = replace(curve, grouped=figures)
        remarks = [*roles.remarks, *remarks]
        curve = replace(curve, context=context, remarks=tuple(remarks))
        folder.results = to_json(curve)
        folder.part("curve.png").write_bytes(curve.grid.chart().to_png())
        if options.html:
            folder.write_text("report.html", render_page(curve))
    skipped = len(session.failures)
    return ComparisonRun(folder.path, len(support) + len(test), skipped, curve)


def compare(
    support: FeaturePool,
    test: FeaturePool,
    names: Sequence[str],
    per_class: Sequence[int],
    seeds: Sequence[int],
) -> BudgetCurve:
    """Every strategy at every budget, each against the first; the full support comes last."""
    labels, truth = torch.from_numpy(np.asarray(support.labels)), np.asarray(test.labels)
    groups = None if test.groups is None else test.groups.numpy()
    cells: list[BudgetCell] = []
    firsts: dict[int, NDArray[np.bool_]] = {}
    for name in names:
        draws = seeds if "seed" in make_coreset(name).config else seeds[:1]
        # What a strategy loads or compiles on its first run is not part of its cost.
        make_coreset(name).condense(support.features[:1], labels[:1], 1)
        for budget in per_class:
            started = time.process_time()
            made = [
                make_coreset(name, seed).condense(support.features, labels, budget, support.groups)
                for seed in draws
            ]
            seconds = (time.process_time() - started) / len(made)
            hits = np.stack([_nearest(each, test.features) == truth for each in made])
            firsts.setdefault(budget, hits)
            cells.append(
                BudgetCell(
                    strategy=name,
                    per_class=budget,
                    keys=len(made[0]),
                    top1=accuracy_over(hits, groups),
                    by_draw=tuple(hits.mean(axis=1).tolist()),
                    seconds=seconds,
                    against=None
                    if name == names[0]
                    else difference_over(firsts[budget], hits, groups),
                )
            )
        logger.info(f"Condensed by {name}")
    full, accuracy = _all_keys(support), _full(support, test)
    cells.append(BudgetCell(FULL, None, len(full), accuracy, (accuracy.value,), 0.0))
    return BudgetCurve(len(truth), len(np.unique(labels)), names[0], tuple(cells))


def _all_keys(support: FeaturePool) -> CoresetKeys:
    labels = torch.from_numpy(np.asarray(support.labels))
    return CoresetKeys(support.features, labels, torch.arange(len(labels)))


def _full(support: FeaturePool, test: FeaturePool) -> Estimate:
    """The accuracy of the nearest image of the support."""
    hits = (_nearest(_all_keys(support), test.features) == np.asarray(test.labels))[None]
    return accuracy_over(hits, None if test.groups is None else test.groups.numpy())


def _by_pictures(
    session: Session[CoresetOptions], roles: SupportAndTest, curve: BudgetCurve, test: FeaturePool
) -> GroupedFigures:
    """The full support's accuracy in a split that knows of no groups, beside that of `curve`."""
    assert roles.test is not None
    assert session.options.group_by is not None
    plain_support, plain_test = session.pool(roles.support), session.pool(roles.test)
    rows, _ = without_leaks(plain_support, plain_test, same_ids=True)
    plain = _full(plain_support, plain_test.rows(rows))
    groups = len(test) if test.groups is None else len(test.groups.unique())
    by, own = session.options.group_by, curve.cells[-1].top1
    return GroupedFigures(FULL, by, groups, own, plain)


def _nearest(coreset: CoresetKeys, queries: Tensor) -> NDArray[np.int64]:
    """The class of each query's nearest key; of equally near ones the first."""
    blocks = [coreset.labels[(x @ coreset.keys.T).argmax(dim=1)] for x in queries.split(BLOCK)]
    return torch.cat(blocks).numpy()


def _names(strategies: str | None) -> list[str]:
    """The strategies of `--strategy`, or all, with the baseline among them and first."""
    names = [part.strip() for part in strategies.split(",")] if strategies else list(CORESETS)
    for name in names:
        make_coreset(name)  # a misspelt name costs no embedding
        if names.count(name) > 1:
            raise UsageError(f"Strategy {name!r} is listed twice.")
    return [FIRST, *(name for name in names if name != FIRST)]


def _checked(support: FeaturePool, test: FeaturePool) -> tuple[FeaturePool, list[str]]:
    """The test images that no key is made of, of classes that have a key, and what was excluded."""
    rows, remarks = without_leaks(support, test, same_ids=True)
    known = np.isin(np.asarray(test.labels)[rows], np.unique(support.labels))
    if not known.all():
        remarks.append(
            f"{int((~known).sum()):,} test images are of classes without anything to condense and"
            " are excluded"
        )
    rows = rows[known]
    if not len(rows):
        raise DataError(
            "Expected test images that no key is made of, got none: the images to condense and"
            " the test images are the same, or have no class in common."
        )
    for remark in remarks:
        logger.warning(remark)
    return test.rows(rows), remarks
