"""Embed: the features themselves, in a file that any tool reads."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from clipfg.embedding.feature_files import check_path, write_features
from clipfg.embedding.pipeline import collect
from clipfg.errors import DataError, UsageError
from clipfg.settings import Settings
from clipfg.types import Failure
from clipfg.workflows.classify import Progress
from clipfg.workflows.opening import open_cache, open_data, open_encoder

logger = logging.getLogger("clipfg")


@dataclass(frozen=True)
class EmbedRun:
    """A finished embedding: the file, and the shape of what is in it."""

    path: Path
    rows: int
    dim: int
    skipped: int

    @property
    def exit_code(self) -> int:
        """0 when every picture was embedded, 3 when some were skipped."""
        return 3 if self.skipped else 0


def run_embed(settings: Settings, *, progress: Progress | None = None) -> EmbedRun:
    """Embed `settings.dataset` and write its features to `settings.output`.

    All splits are written unless one is named. Pictures that fail are listed, with the reason,
    in `OUTPUT.failures.jsonl`. Raises `UsageError` for a missing or unknown kind of output before
    anything is embedded, `DataError` when no picture could be.
    """
    if settings.output is None:
        raise UsageError("Expected --output FILE.parquet, .npz or .safetensors, got none.")
    check_path(settings.output)
    failures: list[Failure] = []

    def fail(failure: Failure) -> None:
        failures.append(failure)
        logger.warning(f"Skipped {failure.id}: {failure.reason}")

    settings = settings.model_copy(update={"split": settings.split or "all"})
    data = open_data(settings)
    if data.features is not None:
        features = data.features
    else:
        with open_cache(settings) as cache:
            features = collect(
                data.manifest,
                open_encoder(settings, cache, data),
                cache if settings.resume else None,
                batch_size=settings.batch_size,
                workers=settings.workers,
                progress=progress,
                on_failure=fail,
                strict=settings.strict,
            )
    _list_failures(settings.output, failures)
    if not len(features):
        raise DataError(f"Expected pictures to embed, and none of {len(failures):,} could be read.")
    write_features(features, settings.output)
    return EmbedRun(settings.output, len(features), features.dim, len(failures))


def _list_failures(output: Path, failures: list[Failure]) -> None:
    path = output.with_name(f"{output.name}.failures.jsonl")
    if not failures:
        path.unlink(missing_ok=True)
        return
    lines = (json.dumps(vars(failure), ensure_ascii=False) + "\n" for failure in failures)
    path.write_text("".join(lines), encoding="utf-8")
