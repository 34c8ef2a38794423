"""Zero-shot: how well class names alone tell labelled pictures apart."""

import logging
from dataclasses import dataclass
from typing import Any

from clipfg.errors import DataError
from clipfg.evaluation.evaluator import Evaluator
from clipfg.evaluation.report import Report
from clipfg.heads.zero_shot import ZeroShot
from clipfg.settings import Settings
from clipfg.types import UNLABELLED
from clipfg.workflows.classify import Progress, Run, classify
from clipfg.workflows.opening import (
    check_same_encoder,
    choose_prompts,
    class_weights,
    open_cache,
    open_data,
    open_encoder,
)
from clipfg.workflows.run_folder import RunFolder, default_folder

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class ZeroshotRun(Run):
    """A finished zero-shot evaluation."""

    report: Report


def zeroshot(dataset: str, **options: Any) -> ZeroshotRun:
    """`clipfg zeroshot` from Python; `options` are those of the command line.

    Raises `ClipfgError`s, as `run_zeroshot` does.
    """
    return run_zeroshot(Settings.resolve(dataset=dataset, **options))


def run_zeroshot(
    settings: Settings, *, progress: Progress | None = None, html: bool = False
) -> ZeroshotRun:
    """Classify the labelled pictures of `settings.dataset` by their class names alone.

    Raises `ClipfgError`s: data that cannot be read or has no labels, a missing encoder.
    """
    data = open_data(settings)
    if not (data.manifest.labels != UNLABELLED).any():
        raise DataError(
            f"Expected labelled pictures to measure accuracy on, and {data.manifest.name} has"
            " none; try `clipfg predict`, which needs no labels."
        )
    with open_cache(settings) as cache:
        encoder = open_encoder(settings, cache, data)
        if data.features is not None:
            check_same_encoder(data.features, encoder)
        prompts = choose_prompts(settings, data.manifest)
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "zeroshot",
            "model": encoder.name,
            "precision": encoder.precision,
            "prompts": prompts.name,
            "fingerprint": encoder.fingerprint,
            "manifest": data.manifest.digest,
        }
        path = settings.output or default_folder("zeroshot", data.manifest.name, encoder.name)
        with RunFolder(path, resolved) as folder:
            weights = class_weights(encoder, prompts, data.classes, cache)
            head = ZeroShot(encoder.logit_scale, encoder.logit_bias).fit(text_weights=weights)
            evaluator = Evaluator(data.classes, seed=settings.seed)
            tally = classify(
                data,
                encoder,
                head,
                data.classes,
                folder,
                settings,
                cache,
                scoring=encoder.scoring,
                evaluator=evaluator,
                progress=progress,
            )
            logger.info(
                f"Classified {tally.done:,} pictures in {tally.seconds:.1f} s"
                f" ({tally.reused:,} were embedded before), skipped {folder.failures:,}"
            )
            report = evaluator.report(
                {
                    "data": data.manifest.name,
                    "split": settings.split or "",
                    "model": encoder.name,
                    "precision": encoder.precision,
                    "prompts": prompts.name,
                }
            )
            folder.results = report.to_json()
            if html:
                folder.part("report.html").write_text(report.to_html(), encoding="utf-8")
    return ZeroshotRun(path, tally.done, folder.failures, report)
