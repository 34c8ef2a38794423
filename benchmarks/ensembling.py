"""Every way from prompts to a classifier, and every transductive refinement, on three data sets.

    python -m benchmarks.ensembling                        all three
    python -m benchmarks.ensembling --only synthflora --cache-dir FOLDER

flowers-102 and 100 species of CUB with a real bird encoder, from `../shared` beside the checkout
(skipped where that is missing), and the built-in drawn flowers with the built-in encoder. Images
are embedded once per cache folder; all rows of a table score the same features. Intervals are of
the bootstrap; differences are paired with the first row, p of McNemar's exact test.

Below each table: how label-free criteria rank its rows, as Spearman's correlation with accuracy.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import torch
from torch import Tensor

from clipfg.data.sets.catalogue import DATASETS
from clipfg.embedding.texts import embed_texts
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.evaluation.statistics.paired import compare
from clipfg.heads.transduction import TRANSDUCTIONS
from clipfg.heads.zero_shot import ZeroShot
from clipfg.options import ZeroshotOptions, resolve
from clipfg.prompting import criteria, load_prompts
from clipfg.prompting.ensembling import make_ensemble
from clipfg.workflows.session import Session

SHARED = Path(__file__).resolve().parents[2] / "shared"
REAL = "hf:" + str(SHARED / "models" / "lit-birds")
CRITERIA = ("confidence", "margin", "information", "agreement")
SEED = 0


@dataclass(frozen=True)
class Case:
    """A data set, its encoder, and the prompt sets that suit it."""

    title: str
    dataset: str
    model: str
    domain: str
    described: str
    split: str = "test"


CASES = {
    "flowers102": Case("flowers-102, lit-birds", "flowers102", REAL, "flowers", "flowers102"),
    "cub100": Case("cub100, lit-birds", str(SHARED / "data" / "cub100"), REAL, "birds", "cub200"),
    "synthflora": Case(
        "synthflora, florette", "synthflora", "builtin:florette", "flowers", "texts"
    ),
}


def rows(case: Case) -> Iterator[tuple[str, str]]:
    """Prompt set and ensemble of each row, the baseline first."""
    described, domain = case.described, case.domain
    for prompts in ("photo", "name", "openai", "general", domain, described):
        yield prompts, "mean"
    both = f"{domain}+{described}"
    for ensemble in ("mean", "score-mean", "weighted", "weighted+score-mean"):
        yield both, ensemble
    yield described, "score-mean"
    yield domain, "weighted"
    yield "openai", "weighted"
    one = f"photo+{described}"
    for ensemble in ("sentences", "product", "waffle", "waffle+score-mean", "sentences+waffle"):
        yield one, ensemble
    yield both, "product"
    yield both, "product+weighted"
    yield both, "sentences+waffle+weighted"


class Pool:
    """One data set's features, and classifiers on them."""

    def __init__(self, case: Case, cache_dir: Path) -> None:
        given = {
            "dataset": case.dataset,
            "data_root": SHARED / "data",
            "split": case.split,
            "model": case.model,
            "cache_dir": cache_dir,
            "precision": "fp32",
            "offline": True,
        }
        self.session = Session(resolve(ZeroshotOptions, given))
        data = self.session.dataset()
        self.classes = data.classes
        self.encoder = self.session.open_encoder(data)
        pool = self.session.pool(data)
        self.features, self.labels = pool.features, torch.from_numpy(pool.labels)

    def logits(self, prompts: str, ensemble: str) -> tuple[Tensor, int]:
        """Text logits of every image, and how many sentences made them."""
        chosen = make_ensemble(ensemble)
        sentences = chosen.sentences(load_prompts(prompts), self.classes, SEED)
        texts = torch.from_numpy(embed_texts(sentences.texts, self.encoder, self.session.cache))
        weights = chosen.weights(texts, sentences, self.features, self.encoder.logit_scale)
        head = ZeroShot(self.encoder.logit_scale, self.encoder.logit_bias, chosen.renormalise).fit(
            text_weights=weights
        )
        return head.logits(self.features), len(sentences)


def table(case: Case, cache_dir: Path) -> None:
    pool = Pool(case, cache_dir)
    labels = pool.labels
    sizes = f"{len(labels):,} images, {len(pool.classes)} classes"
    print(f"\n### {case.title}\n\n{sizes}, logit scale {pool.encoder.logit_scale:.1f}.\n")
    print("| prompts | ensemble | texts | top-1 | 95 % | against the first | p |")
    print("|---|---|---:|---:|---|---:|---:|")
    kept: dict[tuple[str, str], Tensor] = {}
    accuracies: list[float] = []
    found: dict[str, list[float]] = {name: [] for name in CRITERIA}
    first = None
    for prompts, ensemble in rows(case):
        logits, texts = pool.logits(prompts, ensemble)
        kept[prompts, ensemble] = logits
        hits = logits.argmax(dim=1) == labels
        first = hits if first is None else first
        accuracies.append(float(hits.double().mean()))
        for name in CRITERIA:
            found[name].append(getattr(criteria, name)(logits, pool.features))
        print(line(prompts, ensemble, f"{texts:,}", hits, first), flush=True)
    for base in (("photo", "mean"), (f"{case.domain}+{case.described}", "mean")):
        for method in TRANSDUCTIONS:
            started = time.perf_counter()
            refined = TRANSDUCTIONS.get(method)(pool.features, kept[base])
            took = f"{time.perf_counter() - started:.1f} s"
            hits = refined.argmax(dim=1) == labels
            print(line(base[0], f"transductive: {method}", took, hits, first), flush=True)
    ranking(list(kept), accuracies, found)


def line(prompts: str, ensemble: str, size: str, hits: Tensor, first: Tensor) -> str:
    share = proportion(int(hits.sum()), len(hits))
    paired = compare(first.numpy(), hits.numpy())
    gain = paired.difference
    return (
        f"| {prompts} | {ensemble} | {size} | {100 * share.value:.2f} |"
        f" {100 * share.low:.1f} – {100 * share.high:.1f} |"
        f" {100 * gain.value:+.2f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}) |"
        f" {paired.p_value:.2g} |"
    )


def ranking(
    names: list[tuple[str, str]], accuracies: list[float], found: dict[str, list[float]]
) -> None:
    """How each criterion orders the rows, and what it would have picked among the plain sets."""
    from scipy.stats import spearmanr

    plain = [i for i, (_, ensemble) in enumerate(names) if ensemble == "mean"]
    best = max(accuracies[i] for i in plain)
    print("\n| criterion | rank correlation, all rows | prompt sets | picks | its top-1 | best |")
    print("|---|---:|---:|---|---:|---:|")
    for name, values in found.items():
        everything = spearmanr(values, accuracies).statistic
        sets = spearmanr([values[i] for i in plain], [accuracies[i] for i in plain]).statistic
        pick = max(plain, key=lambda i: values[i])
        print(
            f"| {name} | {everything:+.2f} | {sets:+.2f} | {names[pick][0]} |"
            f" {100 * accuracies[pick]:.2f} | {100 * best:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(CASES), action="append")
    parser.add_argument("--cache-dir", type=Path, help="where embeddings are kept")
    chosen = parser.parse_args()
    cache_dir = chosen.cache_dir or Path(mkdtemp(prefix="clipfg-benchmark-"))
    for name in chosen.only or CASES:
        case = CASES[name]
        if case.dataset not in DATASETS and not Path(case.dataset).exists():
            print(f"\n{case.title}: the images are not there.")
            continue
        if case.model == REAL and not SHARED.exists():
            print(f"\n{case.title}: the encoder is not there.")
            continue
        table(case, cache_dir)


if __name__ == "__main__":
    main()
