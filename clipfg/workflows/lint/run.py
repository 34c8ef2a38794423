"""Lint: what is likely wrong with data, before anything is learnt from it or measured on it."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clipfg.embedding.texts import embed_texts
from clipfg.embedding.thumbnails import Thumbnails
from clipfg.errors import DataError
from clipfg.options import LintOptions
from clipfg.prompting.class_names import lint_class_names
from clipfg.prompting.prompt_set import readable
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.lint.checks import check_images, class_sizes
from clipfg.workflows.lint.findings import KINDS, LintData, LintFinding
from clipfg.workflows.lint.page import render
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")

TEXTS = ("kind", "level", "id", "other", "what")
SCHEMA = pa.schema([*((name, pa.string()) for name in TEXTS), ("score", pa.float64())])


@dataclass(frozen=True)
class LintRun(Run):
    """A finished check: the findings, the gravest kinds first, in each kind the worst first."""

    findings: list[LintFinding]

    @property
    def errors(self) -> int:
        """How many findings are errors rather than warnings."""
        return sum(finding.level == "error" for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """1 when there are errors, 0 for warnings alone."""
        return int(self.errors > 0)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each kind, of kinds that have any."""
        counted = Counter(finding.kind for finding in self.findings)
        return {kind: counted[kind] for kind in KINDS if counted[kind]}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each finding."""
        return [{name: vars(one)[name] for name in SCHEMA.names} for one in self.findings]


def run_lint(session: Session[LintOptions]) -> LintRun:
    """Check `--dataset`, all splits unless one is named. Raises `ClipfgError`s."""
    data = session.dataset()
    session.open_encoder_if_needed(data, without="class names are not compared as texts")
    with session.run_folder(data.name, manifest=data.manifest.digest) as folder:
        readable_data = _gather(session, data)
        found = [LintFinding("unreadable", "error", x.id, x.reason) for x in session.failures]
        if readable_data is not None:
            thumbnails = Thumbnails(session.kept, session.options.workers)
            progress = session.progress("Looking at pictures")
            found += check_images(readable_data, thumbnails, session.options.seed, progress)
        found += _check_classes(session, data)
        order = list(KINDS)
        found.sort(key=lambda finding: (order.index(finding.kind), -finding.score))
        done = len(readable_data.pool) if readable_data else 0
        run = LintRun(folder.path, done, len(session.failures), found)
        folder.results = {"images": done, "errors": run.errors, "found": run.counts}
        table = pa.Table.from_pylist(run.rows(), schema=SCHEMA)
        pq.write_table(table, folder.part("findings.parquet"))
        if session.options.html:
            folder.write_text("lint.html", render(data.manifest, readable_data, found))
    return run


def _gather(session: Session[LintOptions], data: Dataset) -> LintData | None:
    """What can be read, or None when nothing can: then that is the finding."""
    try:
        pool = session.pool(data)
    except DataError as error:
        logger.warning(str(error))
        return None
    manifest = data.manifest
    splits = dict(zip(manifest.ids, manifest.table["split"].to_pylist(), strict=True))
    logger.info(
        f"Checked {len(pool):,} images in {pool.seconds:.1f} s ({pool.reused:,} from the cache)"
    )
    parts = "box" in manifest.table.column_names
    groups = None
    if (given := manifest.column("group")) is not None:
        by_id = dict(zip(manifest.ids, given, strict=True))
        groups = [by_id[one] for one in pool.ids]
    return LintData(pool, [splits[one] for one in pool.ids], manifest.classes, groups, parts)


def _check_classes(session: Session[LintOptions], data: Dataset) -> Iterator[LintFinding]:
    """Class names by their texts, and how many images there are of each."""
    classes, encoder = data.manifest.classes, session.encoder
    if classes is None:
        return
    features = count = None
    context = {}
    if encoder is not None:
        from torch import from_numpy

        names = [readable(name) for name in classes.names]
        features = from_numpy(embed_texts(names, encoder, session.kept))
        count, context = encoder.count_tokens, {"context": max(encoder.context_lengths.values())}
    for issue in lint_class_names(classes.names, features, count, **context):
        yield LintFinding("class-name", issue.level, issue.where, issue.what)
    yield from class_sizes(data.manifest.labels, classes)
