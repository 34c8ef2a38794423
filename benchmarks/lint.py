"""What `clipfg lint` finds of faults planted in real data, and what simpler checks find of them.

    python -m benchmarks.lint labels --features ../shared/data/clip-features/caltech101.npz
    python -m benchmarks.lint labels --dataset DATA --model MODEL
    python -m benchmarks.lint copies --dataset DATA --model MODEL
    python -m benchmarks.lint pictures --dataset DATA
    python -m benchmarks.lint outliers --dataset DATA --others OTHER --model MODEL
    python -m benchmarks.lint time --images 200000

`labels`: 5 % of the labels are replaced, by any other class or by one of the three whose means are
nearest; beside cleanlab's filters where it is installed. `copies`: edited copies of 60 images, or
`--images`, are added to the data; which of them are found beside the image that they are of, with
candidates by cosine alone and by hash as well. `pictures`: 120 are made dark, blurred, ....
`outliers`: 1 % images of another data set. `time`: neighbours and close hashes of drawn rows.

Rules were chosen on one half of the classes (`--half 0`) and are judged on the other (`--half 1`).
"""

import argparse
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

import clipfg
from benchmarks.lint_copies import EDITS, SPOILS
from clipfg.data.images.decoding import decode, full_size
from clipfg.data.loading import load_dataset
from clipfg.data.sources import read
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.feature_files import read_features
from clipfg.embedding.near_copies import Found, find_near_copies
from clipfg.embedding.thumbnails import Thumbnails
from clipfg.functional.neighbours import nearest_neighbours
from clipfg.functional.similarity import unit_norm
from clipfg.heads.held_out import CrossFit
from clipfg.heads.support import Support
from clipfg.heads.whitened_mean import WhitenedMean
from clipfg.quality.confident_learning import LIKELY, LabelIssues, confident_learning
from clipfg.quality.image_similarity import SKETCH, sketch
from clipfg.quality.outliers import outliers
from clipfg.quality.perceptual_hash import close_pairs, dhash
from clipfg.quality.picture_faults import picture_faults
from clipfg.types import Features
from clipfg.workflows.lint.checks import NEIGHBOURS, neighbours_of

SHARE = 0.05


def features_of(given: argparse.Namespace, data: str | None = None) -> Features:
    if given.features and data is None:
        found = read_features(given.features)
    else:
        options = {"model": given.model, "precision": "fp32", "cache_dir": given.cache_dir}
        given_options = {k: v for k, v in options.items() if v}
        found = clipfg.embed(data or given.dataset, **given_options).features
    halved = given.what == "labels" and given.half is not None
    return found.rows(found.labels % 2 == given.half) if halved else found


def labels(given: argparse.Namespace) -> None:
    data = features_of(given)
    x = torch.from_numpy(data.pooled)
    present, truth = torch.unique(torch.from_numpy(data.labels), return_inverse=True)
    print(f"{len(x):,} images, {len(present)} classes; precision / recall, in per cent\n")
    columns = ("check", "flagged", "precision", "recall", "average precision")
    print(f"{'wrong label':12} {columns[0]:34}" + "".join(f"{c:>18}" for c in columns[1:]))
    for kind in ("any class", "alike class"):
        wrong = plant(x, truth, kind)
        bad = wrong != truth
        for name, (flags, scores) in checks(x, wrong).items():
            hits = int((flags & bad).sum())
            precision, recall = hits / max(int(flags.sum()), 1), hits / int(bad.sum())
            area = average_precision_score(bad, scores)
            print(
                f"{kind:12} {name:34}{int(flags.sum()):18,}{precision:18.1%}{recall:18.1%}"
                f"{area:18.3f}"
            )


def plant(x: Tensor, truth: Tensor, kind: str) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    classes = int(truth.max()) + 1
    rows = torch.randperm(len(x), generator=generator)[: int(SHARE * len(x))]
    wrong = truth.clone()
    if kind == "any class":
        step = torch.randint(1, classes, (len(rows),), generator=generator)
        wrong[rows] = (truth[rows] + step) % classes
        return wrong
    means = unit_norm(torch.zeros(classes, x.shape[1]).index_add_(0, truth, x))
    alike = (means @ means.T).fill_diagonal_(-1).topk(3).indices
    wrong[rows] = alike[truth[rows], torch.randint(3, (len(rows),), generator=generator)]
    return wrong


def checks(x: Tensor, given: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Each check's flags and scores: what `clipfg lint` does, its parts, and neighbours' votes."""
    support = Support.of("lint", x, given, None)
    fitted = CrossFit.of(WhitenedMean().fit(x, given), support, 0)
    odds = (fitted.factor * fitted.logits).softmax(dim=1)
    doubts = confident_learning([odds], given, support.classes)
    doubt = 1 - doubts.confidence
    lowest = torch.zeros(len(x), dtype=torch.bool)
    lowest[doubt.argsort(descending=True)[: int(SHARE * len(x))]] = True
    confident = odds >= odds.new_tensor(
        [float(odds[given == k, k].mean()) for k in range(odds.shape[1])]
    )
    likeliest = odds.masked_fill(~confident, -1).argmax(dim=1)
    off = confident.any(dim=1) & (likeliest != given)
    margin = odds.gather(1, likeliest[:, None]).flatten() - doubts.confidence
    by_class = _worst_of_each_class(doubts.suggested != given, doubt, given, off)
    found = {
        "clipfg lint": (doubts.clearest(), doubts.odds),
        "another class has half": (doubts.suspects & (odds.amax(dim=1) >= LIKELY), doubt),
        "as many of the lowest own share": (_worst(doubt, doubts), doubt),
        "the same, however unsure": (doubts.suspects, doubt),
        "confident learning, by class": (by_class, doubt),
        "confident learning, off-diagonals": (off, margin + off.float() * 2),
        "lowest 5 % of self-confidence": (lowest, doubt),
        "prediction is not the label": (doubts.suggested != given, doubt),
    }
    found |= of_cleanlab(odds, given)
    _, neighbours = nearest_neighbours(x, 20)
    for k in (5, 20):
        against = (given[neighbours[:, :k]] != given[:, None]).float().mean(dim=1)
        found[f"most of {k} neighbours disagree"] = (against > 0.5, against)
    return found


def of_cleanlab(odds: Tensor, given: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """The filters of cleanlab, where it is installed, on the same probabilities."""
    with suppress(ImportError):
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

        labels, p = given.numpy(), odds.double().numpy()
        p /= p.sum(axis=1, keepdims=True)
        doubt = 1 - torch.from_numpy(get_label_quality_scores(labels, p))
        rules = ("prune_by_noise_rate", "prune_by_class", "both", "confident_learning")
        flags = {rule: find_label_issues(labels, p, filter_by=rule, n_jobs=1) for rule in rules}
        return {f"cleanlab, {rule}": (torch.from_numpy(f), doubt) for rule, f in flags.items()}
    return {}


def _worst(doubt: Tensor, doubts: LabelIssues) -> Tensor:
    flags = torch.zeros(len(doubt), dtype=torch.bool)
    flags[doubt.argsort(descending=True)[: int(doubts.clearest().sum())]] = True
    return flags


def _worst_of_each_class(doubted: Tensor, doubt: Tensor, given: Tensor, off: Tensor) -> Tensor:
    """As many of each class as lie off the diagonal, those of the least self-confidence."""
    flags = torch.zeros(len(given), dtype=torch.bool)
    for label in given.unique():
        rows = ((given == label) & doubted).nonzero().flatten()
        count = int((off & (given == label)).sum())
        flags[rows[doubt[rows].argsort(descending=True)[:count]]] = True
    return flags


def copies(given: argparse.Namespace) -> None:
    data, manifest = features_of(given), load_dataset(given.dataset)
    uris = dict(zip(manifest.ids, manifest.uris, strict=True))
    count = min(given.images or 60, len(data))
    chosen = np.random.default_rng(0).choice(len(data), count, replace=False)
    edits = {name: EDITS[name] for name in EDITS if not given.edits or name in given.edits}
    with tempfile.TemporaryDirectory() as folder:
        for i in chosen:
            image = decode(read(uris[data.ids[i]]))
            for number, edit in enumerate(edits.values()):
                edit(image).save(Path(folder) / f"{i}-{number}.png")
        made = features_of(given, folder)
        origins = np.array(
            [*range(len(data)), *(int(Path(x).stem.split("-")[0]) for x in made.ids)]
        )
        kinds = np.array([-1] * len(data) + [int(Path(x).stem.split("-")[1]) for x in made.ids])
        places = [uris[x] for x in data.ids] + [str(Path(folder) / x) for x in made.ids]
        x = torch.from_numpy(np.concatenate([data.pooled, made.pooled]))
        cosines, neighbours = neighbours_of(x, NEIGHBOURS, 0)
        with EmbeddingCache(given.cache_dir or folder) as cache:
            thumbnails = Thumbnails(cache)
            hashes = {
                uri: (dhash(small.grey), dhash(small.grey[:, ::-1]))
                for uri, small in thumbnails.of(places)
                if small is not None
            }
            for source, known in (("cosine alone", {}), ("cosine and hash", hashes)):
                started = time.perf_counter()
                found = list(find_near_copies(places, cosines, neighbours, known, thumbnails))
                took = time.perf_counter() - started
                _show_copies(source, found, origins, kinds, list(edits), count, took)


def _show_copies(
    source: str,
    found: list[Found],
    origins: np.ndarray,
    kinds: np.ndarray,
    edits: list[str],
    count: int,
    took: float,
) -> None:
    right = [(a, b) for a, b, *_ in found if origins[a] == origins[b]]
    caught = {row for first, row in right if kinds[first] < 0}  # by the image as it was
    of_kind = [sum(kinds[row] == k for row in caught) / count for k in range(len(edits))]
    wrong = len(found) - len(right)
    print(
        f"{source}: recall {np.mean(of_kind):.1%} of {count * len(edits):,} planted, {len(right):,}"
        f" pairs of one image and {wrong} others; {took:.0f} s"
    )
    for name, share in zip(edits, of_kind, strict=True):
        print(f"  {name:22}{share:8.0%}", flush=True)


def pictures(given: argparse.Namespace) -> None:
    manifest = load_dataset(given.dataset)
    rng = np.random.default_rng(1)
    which = rng.permutation(len(manifest))[: given.images or 1000]
    if given.half is not None:
        halves = manifest.labels if manifest.classes is not None else np.arange(len(manifest))
        which = which[halves[which] % 2 == given.half]
    images = [decode(read(manifest.uris[i]), lambda *_: (SKETCH, SKETCH)) for i in which]

    def kinds(image: Image.Image) -> set[str]:
        return {kind for kind, *_ in picture_faults(sketch(image), *full_size(image))}

    told = Counter(kind for image in images for kind in kinds(image))
    for image in images:
        image.info.clear()  # an edited one has another size than its file
    print(f"{len(images):,} pictures as they are: {dict(told) or 'nothing told'}")
    for name, (kind, spoil) in SPOILS.items():
        found = [kinds(spoil(image)) for image in images[:120]]
        right, any_ = (np.mean([kind in own for own in found]), np.mean([bool(x) for x in found]))
        print(f"  {name:28}{kind:12}{right:8.0%}, told as anything {any_:.0%}", flush=True)


def growth(given: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    for n in (given.images // 4, given.images):
        centres = rng.normal(size=(200, 256))
        drawn = centres[rng.integers(200, size=n)] + rng.normal(size=(n, 256))
        x = unit_norm(torch.from_numpy(drawn.astype(np.float32)))
        started = time.process_time()
        cosines, _ = neighbours_of(x, NEIGHBOURS, 0)
        took = time.process_time() - started
        rows = rng.choice(n, 200, replace=False)
        own = x[rows] @ x.T
        own[torch.arange(200), torch.from_numpy(rows)] = -1
        exact = own.topk(NEIGHBOURS).values[:, -1:]
        recall = float((cosines[rows] >= exact - 1e-5).float().mean())
        # 14 of 16 bits vary: as many quarters are then shared as by pictures of cub100 (0.36 %).
        hashes = rng.integers(0, 1 << 63, n, dtype=np.uint64) & np.uint64(0x3FFF3FFF3FFF3FFF)
        started = time.process_time()
        pairs = close_pairs(hashes, rng.permutation(hashes))
        print(
            f"{n:,} rows: neighbours in {took:.0f} s of processor time (recall {recall:.3f}),"
            f" {len(pairs.first):,} close hashes in {time.process_time() - started:.0f} s",
            flush=True,
        )


def outside(given: argparse.Namespace) -> None:
    data, others = features_of(given), features_of(given, given.others)
    x, y = torch.from_numpy(data.pooled), torch.from_numpy(others.pooled)
    y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))[: len(x) // 100]]
    cosines, _ = nearest_neighbours(torch.cat([x, y]), NEIGHBOURS)
    found = outliers(cosines)
    bad = torch.arange(len(x) + len(y)) >= len(x)
    hits = int((found.far & bad).sum())
    print(
        f"{len(y)} others among {len(x):,}: flagged {int(found.far.sum())}, of them {hits} others;"
        f" ROC area {roc_auc_score(bad, found.distances):.3f}, average precision"
        f" {average_precision_score(bad, found.distances):.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=tuple(WHAT))
    parser.add_argument("--features", type=Path)
    parser.add_argument("--dataset")
    parser.add_argument("--others")
    parser.add_argument("--model")
    parser.add_argument("--cache-dir")
    parser.add_argument("--images", type=int, help="how many are edited, looked at or drawn")
    parser.add_argument("--edits", nargs="*", help="names of edits; all by default")
    parser.add_argument("--half", type=int, choices=(0, 1), help="every second class, from this")
    given = parser.parse_args()
    WHAT[given.what](given)


WHAT = {
    "labels": labels,
    "copies": copies,
    "pictures": pictures,
    "outliers": outside,
    "time": growth,
}


if __name__ == "__main__":
    main()
