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
from clipfg.evaluation.page import render_page
from clipfg.evaluation.serialization import to_json
from clipfg.evaluation.statistics.repeated import accuracy_over, difference_over
from clipfg.settings import Settings
from clipfg.types import Progress
from clipfg.workflows.classify import ROWS, Run
from clipfg.workflows.coreset.run import budgets
from clipfg.workflows.coreset.source import open_encoder_for, stored_data
from clipfg.workflows.pool import FeaturePool, gather
from clipfg.workflows.protocol.leakage import without_leaks
from clipfg.workflows.protocol.splits import SupportAndTest, by_split, open_support_and_test
from clipfg.workflows.run_folder import RunFolder, default_folder
from clipfg.workflows.session import open_cache

logger = logging.getLogger("clipfg")

FIRST = "class-mean"
"""The baseline: what every other strategy is compared with."""
FULL = "full support"
BUDGETS = "1,2,5,10"


@dataclass(frozen=True)
class ComparisonRun(Run):
    """A finished comparison."""

    curve: BudgetCurve


def run_comparison(
    settings: Settings, *, html: bool = False, progress: Progress | None = None
) -> ComparisonRun:
    """Condense the train split by every strategy, budget and seed, and judge on the test split.

    Without `--strategy` all strategies are compared. Test images that are in the support as well
    are not counted. Raises `ClipfgError`s, for data without such splits as
    `open_support_and_test` does.
    """
    names = _names(settings)
    if settings.total is not None:
        raise UsageError("Expected --per-class with --compare, got --total; give it as a list.")
    asked = budgets(settings.model_copy(update={"per_class": settings.per_class or BUDGETS}))
    seeds = range(settings.seed, settings.seed + settings.seeds)
    with open_cache(settings) as cache:
        roles = _roles(settings)
        assert roles.test is not None
        parts = (roles.support, roles.test)
        encoder = open_encoder_for(roles.test, settings, cache)
        model = encoder.name if encoder else ""
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "coreset",
            "model": model or None,
            "strategy": ",".join(names),
            "per_class": ",".join(map(str, asked)),
            "fingerprint": encoder.fingerprint if encoder else None,
            "manifest": roles.test.manifest.digest,
            "support_manifest": roles.support.manifest.digest,
        }
        path = settings.output or default_folder("coreset", roles.name, model)
        with RunFolder(path, resolved) as folder:
            support, test = (
                gather(part, encoder, settings, cache, folder.fail, progress) for part in parts
            )
            test, remarks = _checked(support, test)
            curve = compare(support, test, names, asked, seeds)
            context = {
                "data": roles.name,
                "support": f"{roles.source}, {len(support):,} images",
                "test": roles.tested,
                "model": model,
            }
            curve = replace(curve, context=context, remarks=tuple(remarks))
            folder.results = to_json(curve)
            folder.part("curve.png").write_bytes(curve.grid.chart().to_png())
            if html:
                folder.part("report.html").write_text(render_page(curve), encoding="utf-8")
    return ComparisonRun(path, len(support) + len(test), folder.failures, curve)


def _roles(settings: Settings) -> SupportAndTest:
    """What is condensed and what is tested on, of `--dataset` or `--store`."""
    if settings.store is None:
        return open_support_and_test(settings)
    if settings.dataset is not None:
        raise UsageError("Expected --dataset DATA or --store DIR, got both; leave one away.")
    named = settings.model_copy(update={"dataset": str(settings.store)})
    return by_split(named, stored_data(settings.store))


def compare(
    support: FeaturePool,
    test: FeaturePool,
    names: Sequence[str],
    per_class: Sequence[int],
    seeds: Sequence[int],
) -> BudgetCurve:
    """Every strategy at every budget, each against the first; the full support comes last.

    A strategy that draws nothing is run once.
    """
    labels, truth = torch.from_numpy(np.asarray(support.labels)), np.asarray(test.labels)
    cells: list[BudgetCell] = []
    firsts: dict[int, NDArray[np.bool_]] = {}
    for name in names:
        draws = seeds if "seed" in make_coreset(name).config else seeds[:1]
        # What a strategy loads or compiles when it first runs is none of its cost.
        make_coreset(name).condense(support.features[:1], labels[:1], 1)
        for budget in per_class:
            started = time.process_time()
            made = [
                make_coreset(name, seed).condense(support.features, labels, budget)
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
                    top1=accuracy_over(hits),
                    by_draw=tuple(hits.mean(axis=1).tolist()),
                    seconds=seconds,
                    against=None if name == names[0] else difference_over(firsts[budget], hits),
                )
            )
        logger.info(f"Condensed by {name}")
    cells.append(_full(CoresetKeys(support.features, labels, torch.arange(len(labels))), test))
    return BudgetCurve(len(truth), len(np.unique(labels)), names[0], tuple(cells))


def _full(support: CoresetKeys, test: FeaturePool) -> BudgetCell:
    hits = (_nearest(support, test.features) == np.asarray(test.labels))[None]
    return BudgetCell(FULL, None, len(support), accuracy_over(hits), (float(hits.mean()),), 0.0)


def _nearest(coreset: CoresetKeys, queries: Tensor) -> NDArray[np.int64]:
    """The class of each query's nearest key; of equally near ones the first."""
    blocks = [coreset.labels[(x @ coreset.keys.T).argmax(dim=1)] for x in queries.split(ROWS)]
    return torch.cat(blocks).numpy()


def _names(settings: Settings) -> list[str]:
    """The strategies asked for, or all, with the baseline among them and first."""
    asked = [part.strip() for part in (settings.strategy or ",".join(CORESETS)).split(",")]
    if len(set(asked)) < len(asked):
        raise UsageError(f"Expected each strategy once, got {settings.strategy!r}.")
    for name in asked:
        make_coreset(name)  # a misspelt name costs no embedding
    return [FIRST, *(name for name in asked if name != FIRST)]


def _checked(support: FeaturePool, test: FeaturePool) -> tuple[FeaturePool, list[str]]:
    """The test images that no key is made of, of classes that have a key."""
    rows, remarks = without_leaks(support, test, same_ids=True)
    known = np.isin(np.asarray(test.labels)[rows], np.unique(support.labels))
    if not known.all():
        remarks.append(
            f"{int((~known).sum()):,} test images are of classes that have nothing to condense,"
            " and are not counted"
        )
    rows = rows[known]
    if not len(rows):
        raise DataError(
            "Expected test images that no key is made of, got none: the images to condense and"
            " those to evaluate on are the same, or have no class in common."
        )
    for remark in remarks:
        logger.warning(remark)
    return test.rows(rows), remarks
