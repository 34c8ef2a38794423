"""Queries: told apart into texts and photos, and embedded."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from clipfg.data.readers.folder import SUFFIXES
from clipfg.data.sources import SOURCES, file_uri, scheme_of
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.pipeline import collect
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import Encoder
from clipfg.errors import UsageError
from clipfg.prompting import PromptSet
from clipfg.prompting.ensembling import ensemble_mean
from clipfg.prompting.queries import query_texts
from clipfg.settings import Settings
from clipfg.types import ClassList, Manifest
from clipfg.workflows.failures import Failures


@dataclass(frozen=True)
class Query:
    """Texts and photos (URIs) that are looked for together; `name` is what was typed."""

    name: str
    texts: tuple[str, ...]
    photos: tuple[str, ...]

    @classmethod
    def of(cls, parts: Sequence[str]) -> "Query":
        """One query of its parts. Raises `UsageError` where there are none, or a blank one."""
        if not parts or not all(part.strip() for part in parts):
            raise UsageError(
                'Expected a text, such as "red-winged blackbird", or a photo\'s path to look for,'
                " got nothing."
            )
        photos = {part: uri for part in parts if (uri := photo_uri(part)) is not None}
        return cls(
            " + ".join(parts),
            tuple(dict.fromkeys(part for part in parts if part not in photos)),
            tuple(dict.fromkeys(photos.values())),
        )

    @property
    def title(self) -> str:
        """The query for a heading: of photos the file's name alone."""
        return " + ".join((*(Path(uri).name for uri in self.photos), *self.texts))


def photo_uri(part: str) -> str | None:
    """The URI of a part of a query that is a photo, or None: it is a text.

    A photo ends as images do ("x.jpg"), names a file in some folder, or is a URI of a scheme
    that clipfg reads.
    """
    scheme = scheme_of(part)
    if scheme is not None and scheme in SOURCES:
        return part
    path = Path(part).expanduser()
    in_folder = os.sep in part and path.is_file()
    return file_uri(str(path.absolute())) if path.suffix.lower() in SUFFIXES or in_folder else None


def read_queries(path: Path) -> list[Query]:
    """The queries of a text file, one a line; blank lines and those that begin with # are skipped.

    Raises `UsageError` for a file that cannot be read or holds none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"Expected a file of queries at {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"Expected {path} to be UTF-8 text, one query a line.") from None
    found = [line.strip() for line in lines]
    found = [line for line in dict.fromkeys(found) if line and not line.startswith("#")]
    if not found:
        raise UsageError(f"Expected a query on each line of {path}, got no lines.")
    return [Query.of([line]) for line in found]


@dataclass(frozen=True)
class QueryWording:
    """How a text becomes sentences; without prompts it is used as it is."""

    prompts: PromptSet | None
    classes: ClassList | None

    def __call__(self, text: str) -> list[str]:
        """The sentences that stand for a text."""
        return query_texts(text, self.prompts, self.classes) if self.prompts else [text]


def embed_phrases(
    phrases: Sequence[str], wording: QueryWording, encoder: Encoder, cache: EmbeddingCache
) -> dict[str, Float[Tensor, " d"]]:
    """A unit-norm feature for each phrase: the mean of its sentences'."""
    if not phrases:
        return {}
    rendered = [wording(phrase) for phrase in phrases]
    owners = [owner for owner, texts in enumerate(rendered) for _ in texts]
    features = embed_texts([text for texts in rendered for text in texts], encoder, cache)
    return dict(zip(phrases, ensemble_mean(features, torch.tensor(owners)), strict=True))


def embed_photos(
    uris: Sequence[str],
    encoder: Encoder,
    cache: EmbeddingCache,
    settings: Settings,
    failures: Failures,
) -> dict[str, Float[Tensor, " d"]]:
    """A unit-norm feature for each photo that can be read; the others go to `failures`."""
    if not uris:
        return {}
    features = collect(
        Manifest.build("queries", {"uri": list(uris)}),
        encoder,
        cache if settings.resume else None,
        batch_size=settings.batch_size,
        workers=settings.workers,
        on_failure=failures.add,
        strict=settings.strict,
    )
    return dict(zip(features.ids, torch.from_numpy(features.pooled), strict=True))
