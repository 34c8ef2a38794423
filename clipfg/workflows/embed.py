"""Embed: the features themselves, in a file that any tool reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipfg.embedding.feature_files import check_path, write_features
from clipfg.options import EmbedOptions
from clipfg.types import Features
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session


@dataclass(frozen=True)
class EmbedRun(Run):
    """A finished embedding: the features, and the file that holds them, if one was asked for."""

    features: Features
    path: Path | None

    def rows(self) -> list[dict[str, Any]]:
        """A row per image: its id, class and split."""
        features = self.features
        names = features.classes.names if features.classes else ()
        splits = features.splits or (None,) * len(features)
        return [
            {"id": id, "label": names[label] if label >= 0 else None, "split": split}
            for id, label, split in zip(features.ids, features.labels, splits, strict=True)
        ]


def run_embed(session: Session[EmbedOptions]) -> EmbedRun:
    """Embed `--dataset`, all splits unless one is named, and write its features to `--output`.

    Images that fail are listed, with the reason, in `OUTPUT.failures.jsonl`. Raises `UsageError`
    for an unknown kind of output before anything is embedded.
    """
    session.embeds_only = True
    if (path := session.options.output) is not None:
        check_path(path)
    data = session.dataset()
    session.open_encoder_if_needed(data)
    features = data.stored() if data.features is not None else session.features(data.manifest)
    if path is not None:
        write_features(features, path)
        session.failures.replace(path.with_name(f"{path.name}.failures.jsonl"))
    return EmbedRun(None, len(features), len(session.failures), features, path)
