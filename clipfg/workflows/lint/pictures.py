"""What is told of each picture by its thumbnail alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from clipfg.embedding.thumbnails import Thumbnails
from clipfg.quality.perceptual_hash import dhash
from clipfg.quality.picture_faults import picture_faults
from clipfg.types import Progress
from clipfg.workflows.lint.findings import LintData, LintFinding


@dataclass(frozen=True)
class Pictures:
    """Every picture's faults, and the hashes of it and of its mirror image by its URI.

    A picture of one colour has no hash: it would be noise.
    """

    faults: list[LintFinding] = field(default_factory=list)
    hashes: dict[str, tuple[np.uint64, np.uint64]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, data: LintData, thumbnails: Thumbnails, progress: Progress | None = None
    ) -> "Pictures":
        """Look at all; boxes of one picture are told of once, by the first."""
        pool, found = data.pool, cls()
        ids = dict(zip(reversed(pool.uris), reversed(pool.ids), strict=True))
        for uri, small in thumbnails.of(pool.uris, progress):
            if small is None:
                continue
            faults = list(picture_faults(small.grey, small.width, small.height))
            found.faults.extend(_findings(ids[uri], faults))
            if not any(kind == "uniform" for kind, *_ in faults):
                found.hashes[uri] = dhash(small.grey), dhash(small.grey[:, ::-1])
        return found


def _findings(identity: str, faults: list[tuple[str, float, str]]) -> Iterator[LintFinding]:
    for kind, score, what in faults:
        yield LintFinding(kind, "warning", identity, what, None, score)
