"""How many hard negatives captions give, and whether their texts alone give them away.

    python -m benchmarks.negatives [FOLDER ...]

On synthflora's free combinations and its species, and on folders or tables of data with captions.
"""

import argparse
from collections import Counter

import numpy as np

from clipfg.data import synthflora
from clipfg.data.loading import load_dataset
from clipfg.mining.captions import captions_of
from clipfg.mining.negatives import Contest, Negative, mine_negatives, most_confused
from clipfg.mining.text_only import text_only
from clipfg.types import Manifest


def main() -> None:
    """Print a block for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", help="folders or tables of pictures with captions")
    given = parser.parse_args().data
    free = synthflora.load_free(2000)
    report(free)
    flowers = [synthflora.locate(uri) for uri in free.uris]
    drawn = [
        synthflora.captions.hard_negatives(f.traits, np.random.default_rng(i), 1, style=i)[0]
        for i, f in enumerate(flowers)
    ]
    own = free.column("captions") or []
    pairs = zip(own, drawn, strict=True)
    show(
        "its own negatives",
        [Contest(i, t[0], (Negative(n, "", ""),)) for i, (t, n) in enumerate(pairs)],
    )
    report(synthflora.load().select("train"))
    for name in given:
        report(load_dataset(name))


def report(manifest: Manifest) -> None:
    """Count the negatives of a data set, show some, and judge each kind by the text alone."""
    captions = captions_of(manifest).texts
    labels, near = None, []
    if manifest.classes is not None:
        labels = manifest.labels
        near = most_confused(shared_words(manifest, captions))
    contests = mine_negatives(captions, labels=labels, look_alikes=near)
    total = sum(map(len, captions))
    print(
        f"\n{manifest.name}: {len(manifest):,} pictures, {total:,} captions, of which"
        f" {100 * len(contests) / total:.1f} % have negatives"
    )
    show("all", contests)
    for kind, _ in Counter(n.kind for c in contests for n in c.negatives).most_common():
        parts = [
            Contest(c.item, c.true, kept)
            for c in contests
            if (kept := tuple(n for n in c.negatives if n.kind == kind))
        ]
        show(kind, parts)
    for contest in contests[:: max(1, len(contests) // 3)][:3]:
        print(f"  {contest.true}")
        print(*(f"    {n.kind:10} {n.text}" for n in contest.negatives), sep="\n")


def show(name: str, contests: list[Contest]) -> None:
    """A line on what the text alone tells."""
    if len({contest.item for contest in contests}) < 2:
        return
    found = text_only(contests)
    low, high = 100 * found.accuracy.low, 100 * found.accuracy.high
    print(
        f"  {name:18} {found.pairs:6,} pairs, text alone {100 * found.accuracy.value:5.1f}"
        f" [{low:.1f}, {high:.1f}] (chance 50, {found.model})"
    )


def shared_words(manifest: Manifest, captions: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """The cosine of the words that captions of each pair of classes are made of."""
    assert manifest.classes is not None
    bags = [Counter[str]() for _ in manifest.classes.names]
    for label, texts in zip(manifest.labels.tolist(), captions, strict=True):
        bags[label].update(word for text in texts for word in text.lower().split())
    column = {word: i for i, word in enumerate({word for bag in bags for word in bag})}
    counts = np.zeros((len(bags), len(column)))
    for row, bag in zip(counts, bags, strict=True):
        for word, count in bag.items():
            row[column[word]] = count
    counts *= np.log(len(bags) / np.maximum((counts > 0).sum(axis=0), 1))
    return (rows := counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)) @ (
        rows.T
    )


if __name__ == "__main__":
    main()
