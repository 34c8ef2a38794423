"""Other engines for an image tower in bf16, beside torch as clipfg runs it.

    OMP_NUM_THREADS=1 python benchmarks/engines.py [--model ViT-B-16] [--batch 8]

`torch.compile` needs a C++ compiler, OpenVINO `pip install openvino`; what is not there is left
out. In turns on one core; processor milliseconds of a picture, medians.
"""

import argparse
import shutil
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import open_clip
import torch
from jaxtyping import Float
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.embed import machine

Tower = Callable[[Tensor], Tensor]


def compiled(tower: nn.Module) -> Tower:
    """By `torch.compile`, with weights frozen into the program, which takes ones with gradients."""
    from torch._inductor import config

    config.freezing = True
    return torch.compile(tower)


def openvino(tower: nn.Module, sample: Float[Tensor, "b 3 h w"]) -> Tower:
    """By OpenVINO, which makes bf16 of float32 itself."""
    import openvino as ov

    program = ov.convert_model(deepcopy(tower).float(), example_input=sample.float())
    hints = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    request = ov.Core().compile_model(program, "CPU", hints).create_infer_request()
    return lambda x: torch.from_numpy(request.infer({0: x.float().numpy()})[0])


def fast(tower: nn.Module, images: Float[Tensor, "b 3 h w"]) -> Tensor:
    """By torch as it is, with its own multi-head attention, which other engines cannot read."""
    torch.backends.mha.set_fastpath_enabled(True)
    try:
        return tower(images)
    finally:
        torch.backends.mha.set_fastpath_enabled(False)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(machine())
    tower = open_clip.create_model(chosen.model).visual.eval().bfloat16()
    images = torch.randn(chosen.batch, 3, 224, 224).bfloat16()
    torch.backends.mha.set_fastpath_enabled(False)
    engines: dict[str, Tower] = {"torch": partial(fast, tower)}
    expected = tower(images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if shutil.which("c++"):
            engines["torch.compile"] = compiled(tower)
            engines["torch.compile"](images)
        if find_spec("openvino"):
            engines["OpenVINO"] = openvino(tower, images)
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(chosen.rounds + 1):
        for name, run in engines.items():
            started = time.process_time()
            run(images)
            times[name].append((time.process_time() - started) * 1e3 / len(images))
    print(f"\n{chosen.model}, batch {chosen.batch}")
    print(f"{'':22}  processor ms a picture  lowest cosine to torch's")
    for name, run in engines.items():
        cosine = torch.cosine_similarity(run(images).float(), expected.float()).min()
        print(f"{name:22}  {statistics.median(times[name][1:]):16.2f}  {cosine:22.4f}")


if __name__ == "__main__":
    main()
