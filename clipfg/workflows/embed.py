"""Embed: the features themselves, in a file that any tool reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipfg.embedding.feature_files import check_path, write_features
from clipfg.embedding.pipeline import collect
from clipfg.errors import UsageError
from clipfg.settings import Settings
from clipfg.types import Features, Progress
from clipfg.workflows.failures import Failures
from clipfg.workflows.session import open_cache, open_dataset, open_encoder


@dataclass(frozen=True)
class EmbedRun:
    """A finished embedding: the file, and the shape of what is in it."""

    path: Path
    rows: int
    dim: int
    skipped: int

    @property
    def exit_code(self) -> int:
        """0 when every image was embedded, 3 when some were skipped."""
        return 3 if self.skipped else 0


def embed(data: str | Path, **options: Any) -> Features:
    """`clipfg embed` from Python: the features themselves; `options` as on the command line.

    Images that cannot be read are logged and left out. Raises `ClipfgError`s.
    """
    return _features(
        Settings.resolve(command="embed", dataset=str(data), **options), Failures(), None
    )


def run_embed(settings: Settings, *, progress: Progress | None = None) -> EmbedRun:
    """Embed `settings.dataset` and write its features to `settings.output`.

    All splits are written unless one is named. Images that fail are listed, with the reason,
    in `OUTPUT.failures.jsonl`. Raises `UsageError` for a missing or unknown kind of output before
    anything is embedded.
    """
    if settings.output is None:
        raise UsageError("Expected --output FILE.parquet, .npz or .safetensors, got none.")
    check_path(settings.output)
    failures = Failures()
    features = _features(settings, failures, progress)
    failures.write(settings.output.with_name(f"{settings.output.name}.failures.jsonl"))
    write_features(features, settings.output)
    return EmbedRun(settings.output, len(features), features.dim, len(failures))


def _features(settings: Settings, failures: Failures, progress: Progress | None) -> Features:
    data = open_dataset(settings.model_copy(update={"split": settings.split or "all"}))
    if data.features is not None:
        return data.features
    with open_cache(settings) as cache:
        return collect(
            data.manifest,
            open_encoder(settings, cache, data),
            cache if settings.resume else None,
            batch_size=settings.batch_size,
            workers=settings.workers,
            progress=progress,
            on_failure=failures.add,
            strict=settings.strict,
        )
