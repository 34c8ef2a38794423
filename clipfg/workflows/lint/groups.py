"""Images that belong together: groups in two splits, and signs of groups that nobody named."""

from collections.abc import Iterator, Sequence

from clipfg.data.grouping import chained
from clipfg.data.images.time_stamps import shots_at
from clipfg.workflows.lint.findings import LintData, LintFinding

PAUSE = 60
"""The longest pause within a burst, in seconds."""
SHARE, FEWEST = 0.1, 8
"""How many of the images must have another of the same thing or moment for that to be a sign."""


def group_leaks(data: LintData) -> Iterator[LintFinding]:
    """Each group with images in two splits, by one image of the first and one of another."""
    first: dict[str, int] = {}
    told: set[str] = set()
    for row, (group, split) in enumerate(zip(data.groups or (), data.splits, strict=False)):
        if group is None or split is None or group in told:
            continue
        other = first.setdefault(group, row)
        if split != data.splits[other]:
            told.add(group)
            what = f"group {group!r} is in {data.splits[other]} and {split}"
            ids = data.pool.ids
            yield LintFinding("group-leak", "error", ids[row], what, ids[other])


def group_signs(data: LintData, found: Sequence[LintFinding]) -> Iterator[LintFinding]:
    """Whether near copies among what was `found`, or time stamps, say that groups exist."""
    if data.groups is not None:
        return
    pairs = [(one.other, one.id) for one in found if one.kind.startswith("near-") and one.other]
    alike = {identity for pair in pairs for identity in pair}
    if _many(len(alike), len(data.pool)):
        what = f"{len(alike):,} of {len(data.pool):,} images have a near copy"
        yield _sign(*pairs[0], what, "near-copies", len(alike) / len(data.pool))
    rows = data.once_a_picture(list(range(len(data.pool))))
    runs = chained(shots_at([data.pool.uris[row] for row in rows]), PAUSE)
    runs = [run for run in runs if len(run) > 1]
    taken = sum(map(len, runs))
    if _many(taken, len(rows)):
        longest = max(runs, key=len)
        one, other = (data.pool.ids[rows[i]] for i in longest[:2])
        what = f"{taken:,} of {len(rows):,} images were taken within {PAUSE} s of another"
        yield _sign(one, other, what, f"burst:{PAUSE}s", taken / len(rows))


def _many(count: int, images: int) -> bool:
    return count >= max(FEWEST, SHARE * images)


def _sign(one: str, other: str, what: str, by: str, share: float) -> LintFinding:
    told = f"{what}; keep them on one side by --group-by {by}"
    return LintFinding("group", "warning", one, told, other, share)
