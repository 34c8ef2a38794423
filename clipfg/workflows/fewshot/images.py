"""The embedded images of a few-shot run, with what must not count excluded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipfg.errors import DataError
from clipfg.options import FewshotOptions
from clipfg.types import ClassList
from clipfg.workflows.pool import FeaturePool
from clipfg.workflows.protocol.leakage import listed, without_copies, without_leaks
from clipfg.workflows.protocol.splits import SupportAndTest
from clipfg.workflows.protocol.support_sets import Shots, SupportDraws, draw_supports
from clipfg.workflows.session import Session


@dataclass(frozen=True)
class FewshotImages:
    """All images of the support sets, their draws, and the test pool or None.

    Labels index `classes`, each of which has an image to learn from. `remarks` say what was
    excluded.
    """

    support: FeaturePool
    draws: SupportDraws
    test: FeaturePool | None
    classes: ClassList
    remarks: tuple[str, ...] = ()


def gather_images(
    session: Session[FewshotOptions],
    roles: SupportAndTest,
    shots: Sequence[Shots],
    seeds: Sequence[int],
) -> FewshotImages:
    """Draw support sets, embed what they need and the test images, and exclude what must not count.

    Only images that a draw needs are embedded. Raises `DataError` when nothing is left to test on.
    """
    draws = draw_supports(roles.support.manifest.labels, seeds)
    needed = draws.ever(shots)
    support = session.pool(roles.support.rows(needed))
    usable = set(support.ids)
    ids = roles.support.manifest.ids
    draws = draws.keep(np.array([i for i in needed if ids[i] in usable], dtype=np.intp))
    test = None if roles.test is None else session.pool(roles.test)
    if test is None:
        rows, remarks = without_copies(support)
        support, draws = support.rows(rows), draws.keep(rows)
    else:
        rows, remarks = without_leaks(support, test, session.options.own_labels is None)
        test = test.rows(rows)
    seen = session.seen_in_training((support if test is None else test).uris)
    found = _of_known_classes(
        FewshotImages(support, draws, test, roles.classes, (*roles.remarks, *remarks))
    )
    if seen:
        found = replace(found, remarks=(seen, *found.remarks))
    return replace(found, remarks=(*found.remarks, *_short(found, shots)))


def _of_known_classes(given: FewshotImages) -> FewshotImages:
    """Exclude classes that have no image to learn from, and number the others anew."""
    present = np.unique(given.support.labels)
    test, names = given.test, given.classes.names
    if len(present) == len(names):
        return given
    lost = ""
    if test is not None:
        rows = np.flatnonzero(np.isin(test.labels, present))
        if not len(rows):
            raise DataError(
                "Expected test images of the training classes, got none: the support set and the"
                " test images have no class in common."
            )
        if len(rows) < len(test):
            lost = f", with their {len(test) - len(rows):,} test images"
        test = test.rows(rows)
        test = replace(test, labels=np.searchsorted(present, test.labels))
    missing = [name for i, name in enumerate(names) if i not in set(present.tolist())]
    remark = (
        f"{len(missing):,} of {len(names):,} classes have no training image and are"
        f" excluded{lost}: {listed(missing)}"
    )
    labels = np.searchsorted(present, given.support.labels)
    return FewshotImages(
        replace(given.support, labels=labels),
        replace(given.draws, labels=labels),
        test,
        given.classes.only([names[i] for i in present]),
        (*given.remarks, remark),
    )


def _short(images: FewshotImages, shots: Sequence[Shots]) -> list[str]:
    """A sentence for each number of shots that some classes do not have."""
    names = images.classes.names
    counts = np.bincount(images.draws.labels, minlength=len(names))
    found = []
    for each in shots:
        few = np.flatnonzero(counts < each.most) if np.isfinite(each.most) else np.arange(0)
        if len(few):
            named = [f"{names[i]} ({counts[i]})" for i in few]
            found.append(
                f"At {each} shots {len(few):,} of {len(names):,} classes have fewer images:"
                f" {listed(named)}"
            )
    return found
