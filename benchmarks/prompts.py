"""Building a classifier of many classes and 80 prompts, against open_clip's own builder.

    python -m benchmarks.prompts                 40 of the 1,000 classes, three rounds
    python -m benchmarks.prompts --classes 1000  all of it (an hour and more on two cores)

ViT-B-32 with random weights (speed does not depend on them), ImageNet's class names and OpenAI's 80
templates as open_clip has them. Both builders run in this process in turns, on the same weights and
the same number of threads; medians count, the first round of each warms up. clipfg embeds texts
batched by length, on as many positions as they fill, writes each to its cache and reads it back on
the second run. A subset of classes is scaled up: time is proportional to texts.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.embed import machine
from benchmarks.embed_contenders import make_model
from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.texts import embed_texts
from clipfg.encoders import Encoder, load_encoder
from clipfg.encoders.base import DTYPES
from clipfg.prompting import load_prompts, texts_for
from clipfg.prompting.ensembling import ensemble_mean
from clipfg.types import ClassList

ALL = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    from open_clip import IMAGENET_CLASSNAMES

    step = ALL // chosen.classes
    names = list(dict.fromkeys(IMAGENET_CLASSNAMES))[::step][: chosen.classes]
    print(f"{machine()}, {torch.get_num_threads()} threads")
    with TemporaryDirectory() as folder:
        make_model(Path(folder))
        measure(Path(folder), names, chosen.rounds)


def measure(folder: Path, names: list[str], rounds: int) -> None:
    from open_clip import create_model

    specs: dict[str, Callable[[], torch.Tensor]] = {}
    encoders: dict[str, Encoder] = {}
    for kind in ("bf16", "fp32"):
        encoder = encoders[kind] = load_encoder(str(folder), precision=kind, device="cpu")
        # As open_clip lays it out: clipfg changes the order of axes in the text tower.
        model = create_model(f"local-dir:{folder}").to(DTYPES[kind]).eval()
        specs[f"open_clip's builder, {kind}"] = lambda m=model, e=encoder: theirs(m, e, names)
        specs[f"clipfg, {kind}"] = lambda e=encoder: ours(e, names, None)
    seconds: dict[str, list[float]] = {name: [] for name in specs}
    weights: dict[str, torch.Tensor] = {}
    for turn in range(rounds + 1):
        for name, build in specs.items():
            took, weights[name] = timed(build)
            if turn:
                seconds[name].append(took)
    texts = len(names) * 80
    print(f"\n{len(names)} classes x 80 templates, {texts:,} texts; medians of {rounds} rounds\n")
    print("| builder | seconds | texts/s | 80,000 texts would take | of open_clip's bf16 |")
    print("|---|---:|---:|---:|---:|")
    base = statistics.median(seconds["open_clip's builder, bf16"])
    for name, times in seconds.items():
        median = statistics.median(times)
        scaled = median * ALL / len(names)
        row = f"| {name} | {median:.1f} | {texts / median:.0f} | {scaled:.0f} s |"
        print(f"{row} {base / median:.2f} x |")
    with EmbeddingCache(folder / "cache") as cache:
        first, _ = timed(lambda: ours(encoders["bf16"], names, cache))
        second, _ = timed(lambda: ours(encoders["bf16"], names, cache))
    print(f"| clipfg, bf16, writing the cache | {first:.1f} | {texts / first:.0f} | | |")
    print(f"| clipfg, bf16, second run | {second:.2f} | {texts / second:.0f} | | |")
    for kind in encoders:
        one, other = weights[f"clipfg, {kind}"], weights[f"open_clip's builder, {kind}"]
        lowest = float((one * other.float()).sum(dim=1).min())
        print(f"\nLowest cosine between the two builders' class weights, {kind}: {lowest:.6f}")


def theirs(model: torch.nn.Module, encoder: Encoder, names: list[str]) -> torch.Tensor:
    """open_clip's builder with its defaults."""
    from open_clip import OPENAI_IMAGENET_TEMPLATES, build_zero_shot_classifier

    return build_zero_shot_classifier(model, encoder.tokenizer, names, OPENAI_IMAGENET_TEMPLATES).T


def ours(encoder: Encoder, names: list[str], cache: EmbeddingCache | None) -> torch.Tensor:
    texts, owners = texts_for(load_prompts("openai"), ClassList(tuple(names)))
    features = torch.from_numpy(embed_texts(texts, encoder, cache))
    return ensemble_mean(features, torch.from_numpy(owners))


def timed(build: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    started = time.perf_counter()
    made = build()
    return time.perf_counter() - started, made


if __name__ == "__main__":
    main()
