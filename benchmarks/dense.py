"""What patch and region features cost, and whether they know where things are.

    python -m benchmarks.dense --speed       pictures a processor second with and without, in turns
    python -m benchmarks.dense --pointing    builtin:florette on synthflora
    python -m benchmarks.dense --birds       a convolutional encoder on CUB's part points
    python -m benchmarks.dense --kinds       small towers trained here by captions alone: minutes

Speed does not depend on weights, so these are random. Pictures and the bird encoder are those of
`../shared` beside the checkout.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks import pointing
from clipfg.encoders.towers.open_clip import open_clip_tower
from clipfg.encoders.towers.transformers import transformers_tower
from clipfg.functional.regions import patch_grid, region_means

SHARED = Path(__file__).resolve().parents[2] / "shared"
REGIONS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for what in ("speed", "pointing", "birds", "kinds"):
        parser.add_argument(f"--{what}", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=1000, help="of synthflora")
    parser.add_argument("--samples", type=int, default=50_000, help="that --kinds trains on")
    parser.add_argument("--pool", type=Path, help="a file to keep its drawn pictures in")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.speed:
        speed(chosen)
    if chosen.pointing:
        pointing.flowers(chosen.images)
    if chosen.birds:
        pointing.birds(SHARED)
    if chosen.kinds:
        from benchmarks import dense_kinds

        dense_kinds.compare(chosen.images, chosen.samples, chosen.pool)


@dataclass(frozen=True)
class Contender:
    """A tower that gives pooled features, or these and patches in one pass."""

    module: nn.Module
    pooled: Callable[[Tensor], Tensor]
    dense: Callable[[Tensor], tuple[Tensor, Tensor]]


def open_clip_b16() -> Contender:
    import open_clip

    visual = open_clip.create_model("ViT-B-16", pretrained=None).visual
    return Contender(visual, visual, open_clip_tower(visual, visual).dense)


def siglip_b16() -> Contender:
    from transformers import SiglipVisionConfig, SiglipVisionModel

    vision = SiglipVisionModel(SiglipVisionConfig(image_size=224, patch_size=16))

    def run(pixels: Tensor) -> Tensor:
        return vision(pixel_values=pixels).pooler_output

    tower = transformers_tower(nn.ModuleDict({"vision_model": vision}), run)
    return Contender(vision, run, tower.dense)


def fgclip_b16() -> Contender:
    from clipfg.encoders.fgclip.fgclip1 import FgClip1

    model = FgClip1({"vision_config": {"hidden_size": 768, "patch_size": 16, "image_size": 224}})

    def dense(pixels: Tensor) -> tuple[Tensor, Tensor]:
        pooled, maps = model.features(pixels, dense=True)
        return pooled, maps.flatten(1, 2)

    return Contender(model, model.image_features, dense)


CONTENDERS: dict[str, Callable[[], Contender]] = {
    "open_clip ViT-B/16": open_clip_b16,
    "transformers SigLIP B/16": siglip_b16,
    "FG-CLIP base": fgclip_b16,
}


def with_regions(contender: Contender, inputs: Tensor, boxes: Tensor) -> None:
    _, patches = contender.dense(inputs)
    grid = patch_grid(patches.shape[1], *inputs.shape[-2:])
    for map_ in patches.float():
        region_means(map_, grid, boxes)


def speed(chosen: argparse.Namespace) -> None:
    """Pooled features alone and with patches and regions: a batch of each in turns."""
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[chosen.precision]
    torch.manual_seed(0)
    inputs = torch.randn(chosen.batch, 3, 224, 224, dtype=dtype)
    low = torch.rand(REGIONS, 2) * 0.6
    boxes = torch.cat([low, low + 0.1 + torch.rand(REGIONS, 2) * 0.3], dim=1)
    ways: list[Callable[[], object]] = []
    for make in CONTENDERS.values():
        contender = make()
        contender.module.to(dtype).eval().requires_grad_(False)
        ways.append(partial(contender.pooled, inputs))
        ways.append(partial(with_regions, contender, inputs, boxes))
    with torch.inference_mode():
        times = in_turns(ways, chosen.rounds)
    print(
        f"{chosen.precision}, batches of {chosen.batch}, {chosen.threads} thread(s),"
        f" {REGIONS} regions a picture; pictures a processor second, medians of {chosen.rounds}"
        " rounds in turns; cost against own pooled features, and against open_clip's"
    )
    loop = statistics.median(times[0])
    for name, pooled, dense in zip(CONTENDERS, times[::2], times[1::2], strict=True):
        alone, both = statistics.median(pooled), statistics.median(dense)
        ratios = [b / a for a, b in zip(pooled, dense, strict=True)]
        print(
            f"{name:26} pooled {chosen.batch / alone:5.1f}  dense {chosen.batch / both:5.1f}"
            f"  cost {both / alone:.2f} ({min(ratios):.2f} to {max(ratios):.2f}),"
            f" {both / loop:.2f} of open_clip's pooled"
        )


def in_turns(ways: Sequence[Callable[[], object]], rounds: int) -> list[list[float]]:
    """Processor seconds of each round of each way; one round before them is not counted.

    The processor's time, not the clock's: others may be using the machine.
    """
    times: list[list[float]] = [[] for _ in ways]
    for number in range(rounds + 1):
        for way, own in zip(ways, times, strict=True):
            start = time.process_time()
            way()
            if number:
                own.append(time.process_time() - start)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return times


if __name__ == "__main__":
    main()
