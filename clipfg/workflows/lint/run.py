"""Lint: what is likely wrong with data, before anything is learnt from it or measured on it."""

import logging
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import Encoder
from clipfg.errors import DataError
from clipfg.prompting.class_names import lint_class_names
from clipfg.prompting.prompt_set import readable
from clipfg.settings import Settings
from clipfg.types import ClassList, Failure, Progress
from clipfg.workflows.classify import Run
from clipfg.workflows.lint.checks import check_images, class_sizes
from clipfg.workflows.lint.findings import KINDS, LintData, LintFinding
from clipfg.workflows.lint.page import render
from clipfg.workflows.pool import gather
from clipfg.workflows.run_folder import RunFolder, default_folder
from clipfg.workflows.session import (
    Dataset,
    check_same_encoder,
    open_cache,
    open_dataset,
    open_encoder,
)

logger = logging.getLogger("clipfg")

SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("level", pa.string()),
        ("id", pa.string()),
        ("other", pa.string()),
        ("what", pa.string()),
        ("score", pa.float64()),
    ]
)


@dataclass(frozen=True)
class LintRun(Run):
    """A finished check: what was found, the gravest kinds first, in a kind the worst first."""

    findings: list[LintFinding]

    @property
    def exit_code(self) -> int:
        """1 when there are errors, 0 for warnings alone."""
        return int(any(finding.level == "error" for finding in self.findings))

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each kind, of kinds that have any."""
        counted = Counter(finding.kind for finding in self.findings)
        return {kind: counted[kind] for kind in KINDS if counted[kind]}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each finding."""
        return [_row(finding) for finding in self.findings]


def lint(dataset: str, **options: Any) -> LintRun:
    """`clipfg lint` from Python; `options` are those of the command line. Raises `ClipfgError`s."""
    return run_lint(Settings.resolve(command="lint", dataset=dataset, **options))


def run_lint(
    settings: Settings, *, progress: Progress | None = None, html: bool = False
) -> LintRun:
    """Check `settings.dataset`, all splits unless one is named.

    Raises `ClipfgError`s: data that cannot be opened, a missing encoder.
    """
    data = open_dataset(settings.model_copy(update={"split": settings.split or "all"}))
    with open_cache(settings) as cache:
        encoder = _open_encoder(settings, cache, data)
        resolved: dict[str, Any] = settings.model_dump(mode="json") | {
            "command": "lint",
            "model": encoder.name if encoder else None,
            "precision": encoder.precision if encoder else None,
            "manifest": data.manifest.digest,
        }
        model = encoder.name if encoder else ""
        path = settings.output or default_folder("lint", data.manifest.name, model)
        with RunFolder(path, resolved) as folder:
            failures: list[Failure] = []

            def fail(failure: Failure) -> None:
                folder.fail(failure)
                failures.append(failure)

            gathered = _gather(data, encoder, settings, cache, fail, progress)
            found = [
                LintFinding("unreadable", "error", failure.id, failure.reason)
                for failure in failures
            ]
            if gathered is not None:
                found += check_images(gathered, settings.seed)
            if data.manifest.classes is not None:
                found += _check_classes(data, data.manifest.classes, encoder, cache)
            order = list(KINDS)
            found.sort(key=lambda finding: (order.index(finding.kind), -finding.score))
            done = len(gathered.pool) if gathered else 0
            run = LintRun(path, done, len(failures), found)
            folder.results = {"images": done, "errors": _errors(found), "found": run.counts}
            table = pa.Table.from_pylist(run.rows(), schema=SCHEMA)
            pq.write_table(table, folder.part("findings.parquet"))
            if html:
                page = render(data.manifest, gathered, found)
                folder.part("lint.html").write_text(page, encoding="utf-8")
    return run


def _gather(
    data: Dataset,
    encoder: Encoder | None,
    settings: Settings,
    cache: EmbeddingCache,
    fail: Any,
    progress: Progress | None,
) -> LintData | None:
    """What can be read, or None when nothing can: then that is what there is to say."""
    try:
        pool = gather(data, encoder, settings, cache, fail, progress)
    except DataError as error:
        logger.warning(str(error))
        return None
    manifest = data.manifest
    splits = dict(zip(manifest.ids, manifest.table["split"].to_pylist(), strict=True))
    logger.info(
        f"Looked at {len(pool):,} images in {pool.seconds:.1f} s ({pool.reused:,} were embedded"
        " before)"
    )
    return LintData(pool, [splits[identity] for identity in pool.ids], manifest.classes)


def _check_classes(
    data: Dataset, classes: ClassList, encoder: Encoder | None, cache: EmbeddingCache
) -> list[LintFinding]:
    """Names by their texts, and how many images there are of each."""
    features = count = None
    context = {}
    if encoder is not None:
        features = embed_texts([readable(name) for name in classes.names], encoder, cache)
        count, context = encoder.count_tokens, {"context": encoder.context_length}
    found = [
        LintFinding("class-name", finding.level, finding.where, finding.what)
        for finding in lint_class_names(classes.names, features, count, **context)
    ]
    return found + list(class_sizes(data.manifest.labels, classes))


def _open_encoder(settings: Settings, cache: EmbeddingCache, data: Dataset) -> Encoder | None:
    """The encoder, or None for features from a file whose encoder is not named."""
    if data.features is not None and settings.model is None:
        logger.info("No --model is named: class names are not compared as texts")
        return None
    encoder = open_encoder(settings, cache, data)
    if data.features is not None:
        check_same_encoder(data.features, encoder)
    return encoder


def _errors(found: list[LintFinding]) -> int:
    return sum(finding.level == "error" for finding in found)


def _row(finding: LintFinding) -> dict[str, Any]:
    return {name: getattr(finding, name) for name in SCHEMA.names}
