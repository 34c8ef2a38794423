"""How fast an encoder is trained, in how much memory, beside a plain step of open_clip.

    python benchmarks/train.py                     recipes against open_clip, by turns
    python benchmarks/train.py --model ViT-B-32    the same with random weights
    python benchmarks/train.py --large 4096        a large batch in the memory of a small one
    python benchmarks/train.py --attention         attention written out against the fused kernel
    python benchmarks/train.py --frozen            the last block and heads alone, against the same

Pictures are noise and captions are drawn from the built-in data: speed does not depend on them.
The plain step is open_clip's model, its ClipLoss and AdamW under the same autocast, with the same
normalising and tokenising in it; with `--frozen` it trains the same weights. What frozen blocks
make of the images and their mirror images is computed before the steps, and not timed. Each
contender runs in a process of its own, in turns; the median of the rounds counts. Memory is what
the steps add to the process. On a machine that others use too, set OMP_NUM_THREADS=1 and read the
ratio of examples a CPU second.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

PLAIN = "open_clip"
RECIPES = ("contrastive", "contrastive recompute=true", "distill")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="builtin:florette", help="or a shape of open_clip's")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=4, help="timed, after one that is not")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--large", type=int, metavar="N", help="a batch of N, in parts of half of --batch"
    )
    parser.add_argument("--attention", action="store_true")
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default=None)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(measure(chosen)))
        return
    print(machine(), flush=True)
    names = [PLAIN, *RECIPES]
    if chosen.large:
        names = [
            "contrastive",
            f"contrastive batch_size={chosen.large} micro_batch={chosen.batch // 2}",
        ]
    if chosen.attention:
        names = ["contrastive written", "contrastive fused"]
    if chosen.frozen:
        names = [f"{name} trains=last:1" for name in (PLAIN, "contrastive")]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(chosen.rounds):
        for name in names:
            runs[name].append(run(name))
    print(f"{chosen.model}, batches of {chosen.batch}, medians of {chosen.rounds} rounds in turns")
    show(runs, names[0])


def machine() -> str:
    """What the figures belong to."""
    import torch

    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*:\s*(.*)", text)
    flags = next((flag for flag in ("amx_bf16", "avx512_bf16") if flag in text), "no bf16 seen")
    return (
        f"{found[1] if found else 'unknown processor'}, {len(os.sched_getaffinity(0))} cores,"
        f" {flags}, torch {torch.__version__} with {torch.get_num_threads()} threads, load"
        f" {os.getloadavg()[0]:.1f}"
    )


def run(name: str) -> dict[str, float]:
    """One contender in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--child", name], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(runs: dict[str, list[dict[str, float]]], first: str) -> None:
    """The table, rates beside the first contender's."""
    rate, cpu, memory = (
        {name: statistics.median(one[key] for one in rounds) for name, rounds in runs.items()}
        for key in ("rate", "cpu", "memory")
    )
    width = max(map(len, runs))
    print(f"{'':{width}}  examples/s   ratio  a CPU second   ratio  MiB of steps")
    for name in runs:
        ratios = [one[name] / one[first] for one in (rate, cpu)]
        print(
            f"{name:{width}}  {rate[name]:10.1f}  {ratios[0]:5.2f} x  {cpu[name]:12.1f}"
            f"  {ratios[1]:5.2f} x  {memory[name]:12.0f}"
        )


def measure(chosen: argparse.Namespace) -> dict[str, float]:
    """Examples a second of a contender, and the MiB that its steps added to the process."""
    from clipfg.training import gradients
    from clipfg.training.recipes import load_recipe

    name, *changes = chosen.child.split()
    if changes in (["written"], ["fused"]):
        gradients.FEW_TOKENS = 10**6 if changes == ["written"] else 0
        changes = []
    size = [f"batch_size={chosen.batch}"] if "batch_size" not in chosen.child else []
    recipe = load_recipe("contrastive" if name == PLAIN else name, [*size, *changes])
    encoder, bf16 = open_encoder(chosen.model, chosen.precision)
    step = (plain if name == PLAIN else ours)(encoder, recipe, bf16)
    before = peak()
    step(0)
    count = 1 if chosen.large else chosen.steps
    started, used = time.perf_counter(), time.process_time()
    for number in range(1, count + 1):
        step(number)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    done = recipe.batch_size * count
    return {"rate": done / seconds, "cpu": done / cpu, "memory": peak() - before}


def peak() -> float:
    """MiB that the process has had at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def open_encoder(name: str, precision: str | None):
    """An encoder and whether to compute in bf16; a shape of open_clip's gets random weights."""
    import tempfile

    import open_clip
    import torch
    from safetensors.torch import save_file

    from clipfg.encoders import load_encoder
    from clipfg.encoders.precision import fastest_precision

    bf16 = (precision or fastest_precision(torch.device("cpu"))) == "bf16"
    if ":" not in name:
        folder = Path(tempfile.mkdtemp())
        model = open_clip.create_model(name, pretrained=None)
        state = {key: value.contiguous() for key, value in model.state_dict().items()}
        save_file(state, folder / "open_clip_model.safetensors")
        config = {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": {}}
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        name = str(folder)
    return load_encoder(name, precision="fp32", device="cpu"), bf16


def data(encoder, recipe):
    """Noise with captions, four boxes and their phrases, and what a base might see in them."""
    import torch

    from clipfg.data import synthflora
    from clipfg.training.batches import Batches, Examples, Sampling
    from clipfg.training.pixels import Pixels
    from clipfg.training.teacher import distillation_targets

    count, noise = recipe.batch_size, torch.Generator().manual_seed(0)
    names = synthflora.classes().names
    height, width = encoder.preprocessing.size
    images = torch.randint(0, 256, (count, 3, height, width), generator=noise, dtype=torch.uint8)
    box = torch.tensor([[0, 0, width / 2, height / 2]]).repeat(4, 1)
    pixels = Pixels(images, torch.arange(count), (box,) * count, (b"",) * count)
    captions = [(f"a photo of a {names[i % len(names)]}, number {i}",) for i in range(count)]
    phrases = [names[:4]] * count

    def unit(*shape: int) -> torch.Tensor:
        return torch.nn.functional.normalize(
            torch.randn(*shape, encoder.dim, generator=noise), dim=-1
        )

    mask = torch.ones(count, 4, dtype=torch.bool)
    constants = distillation_targets(unit(count), unit(count, 4), mask, unit(4))
    labels = torch.zeros(count, dtype=torch.long)
    examples = Examples(pixels, labels, captions, (), phrases, (), names[:4], constants)
    sampling = Sampling(
        batch_size=count, seed=0, mirror=recipe.mirror, crop=recipe.crop, regions=recipe.regions
    )
    return Batches(examples, sampling)


def ours(encoder, recipe, bf16: bool) -> Callable[[int], object]:
    """A step of the training loop."""
    from clipfg.training.loop import Loop
    from clipfg.training.student import Student
    from clipfg.training.task import Task

    batches = data(encoder, recipe)
    student = Student(encoder, recipe.trains, recompute=recipe.recompute)
    task = Task.of(recipe, student, batches.examples, encoder.encode_texts, 0)
    loop = Loop(task, batches, replace(recipe, steps=1000), lambda: 0.0, bf16=bf16)
    loop._remember()
    return lambda step: loop._step(loop._load(step), step)


def plain(encoder, recipe, bf16: bool) -> Callable[[int], object]:
    """A step as open_clip's own training makes it."""
    import open_clip
    import torch
    from open_clip.loss import ClipLoss

    from clipfg.training.parts import choose_parts

    batches, loss = data(encoder, recipe), ClipLoss()
    model = open_clip.create_model(f"local-dir:{encoder.files.weights[0].parent}").train()
    choose_parts(model, recipe.trains)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=recipe.lr, weight_decay=0.01)

    def step(number: int) -> None:
        batch = batches(number)
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            images = model.encode_image(encoder.inputs(batch.images()), normalize=True)
            texts = model.encode_text(encoder.tokenizer(list(batch.captions)), normalize=True)
            value = loss(images, texts, model.logit_scale.exp())
        value.backward()
        torch.nn.utils.clip_grad_norm_(trained, recipe.gradient_clip)
        optimiser.step()

    return step


if __name__ == "__main__":
    main()
