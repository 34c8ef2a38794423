"""What benchmarks/embed.py compares, each in a process of its own.

    python benchmarks/embed_contenders.py NAME MODEL IMAGES

prints one line of JSON. MODEL is a folder that `make_model` wrote, IMAGES a text file of paths.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.embed_scale import peak
from clipfg.encoders import precision, quantised

BATCH = 32
LABELS = 100
Result = dict[str, float]


def make_model(folder: Path, name: str = "ViT-B-32") -> None:
    """A model with random weights, as open_clip keeps one in a folder."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    config = open_clip.get_model_config(name)
    model = open_clip.CLIP(**config)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    preprocessing = {"size": 224, "mode": "RGB", "interpolation": "bicubic"}
    preprocessing |= {"resize_mode": "shortest", "mean": mean, "std": std}
    described = {"model_cfg": config, "preprocess_cfg": preprocessing}
    (folder / "open_clip_config.json").write_text(json.dumps(described))


def _encoder(model: Path, precision: str = "auto") -> Any:
    from clipfg.encoders import load_encoder

    encoder = load_encoder(f"open_clip:local-dir:{model}", precision=precision)
    assert encoder.fingerprint  # reads the weights once; a run remembers that between times
    side = encoder.preprocessing.size
    encoder.encode_images(torch.zeros((BATCH, 3, *side), dtype=torch.uint8))  # loads, warms up
    return encoder


def _timed(images: int, work: Callable[[], object]) -> Result:
    wall, processor = time.perf_counter(), _processor_seconds()
    work()
    seconds = time.perf_counter() - wall
    return {"images": images, "seconds": seconds, "processor": _processor_seconds() - processor}


def _processor_seconds() -> float:
    """Of all threads, and of the processes that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def clipfg(model: Path, images: list[str], precision: str = "auto", **options: Any) -> Result:
    """The pipeline with an empty cache, the vectors written to disk included."""
    from clipfg.embedding.cache import EmbeddingCache
    from clipfg.embedding.pipeline import collect
    from clipfg.types import Manifest

    encoder = _encoder(model, precision)
    manifest = Manifest.build("images", {"uri": images})
    with TemporaryDirectory() as folder, EmbeddingCache(folder) as cache:
        return _timed(len(images), lambda: collect(manifest, encoder, cache, **options))


def open_clip_loop(model: Path, images: list[str]) -> Result:
    """What a person writes by hand: float32, a DataLoader with two workers."""
    import open_clip
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    tower, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{model}")
    tower.eval()

    class Images(Dataset[torch.Tensor]):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> torch.Tensor:
            return preprocess(Image.open(images[index]))

    @torch.inference_mode()
    def work() -> None:
        for batch in DataLoader(Images(), batch_size=BATCH, num_workers=2):
            tower.encode_image(batch, normalize=True)

    with torch.inference_mode():
        tower.encode_image(torch.zeros((BATCH, 3, 224, 224)))
    return _timed(len(images), work)


def transformers_pipeline(_: Path, images: list[str]) -> Result:
    """`pipeline("zero-shot-image-classification")` at 100 labels, which it encodes per image."""
    import open_clip
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer, pipeline

    torch.manual_seed(0)
    words = open_clip.SimpleTokenizer()
    merges = sorted(words.bpe_ranks, key=lambda pair: words.bpe_ranks[pair])
    ends = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {ends.get(word, word): number for word, number in words.encoder.items()}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
    classify = pipeline(
        "zero-shot-image-classification",
        model=CLIPModel(CLIPConfig()).eval(),  # its defaults are ViT-B-32's
        tokenizer=tokenizer,
        image_processor=CLIPImageProcessor(),
    )
    few = images[:4]
    labels = [f"bird number {number}" for number in range(LABELS)]
    return _timed(len(few), lambda: [classify(path, candidate_labels=labels) for path in few])


def _fetch(path: str) -> torch.Tensor:
    from clipfg.data.images.decoding import decode
    from clipfg.encoders.preprocessing import Preprocessing

    preprocessing = Preprocessing((224, 224))
    return preprocessing(decode(Path(path).read_bytes(), preprocessing.target))


def decode_only(_: Path, images: list[str], workers: int = 2) -> Result:
    """Read, decode and resize in threads; no encoder."""
    torch.set_num_threads(1)
    _fetch(images[0])
    with ThreadPoolExecutor(workers) as pool:
        return _timed(len(images), lambda: list(pool.map(_fetch, images)))


def encode_only(model: Path, images: list[str], precision: str = "auto") -> Result:
    """The image tower alone, in batches of 32."""
    encoder = _encoder(model, precision)
    batch = torch.randint(0, 256, (BATCH, 3, *encoder.preprocessing.size), dtype=torch.uint8)
    rounds = max(1, len(images) // BATCH)
    with torch.inference_mode():
        return _timed(rounds * BATCH, lambda: [encoder.encode_images(batch) for _ in range(rounds)])


def shapes_of(patch: int, batch: int) -> list[tuple[int, int, int, int]]:
    """The products of a ViT-B of 224 pixels: rows, inner size, columns, and how many there are.

    Of the last of its 12 blocks, those that the class token needs.
    """
    width, patches = 768, (224 // patch) ** 2
    tokens = batch * (patches + 1)
    shapes = [(batch * patches, 3 * patch**2, width, 1), (batch, width, 512, 1)]
    shapes += [(tokens, width, 3 * width, 11), (tokens, width, 2 * width, 1)]
    shapes += [(batch, width, width, 1)]  # the last query
    for rows, times in ((tokens, 11), (batch, 1)):
        shapes += [(rows, width, width, times)]
        shapes += [(rows, width, 4 * width, times), (rows, 4 * width, width, times)]
    return shapes


def products_of(patch: int, batch: int, precision: str) -> Callable[[], None]:
    """The matrix products of a ViT-B of 224 pixels at its own shapes, and nothing else."""
    kind = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    pairs = [
        (torch.randn(rows, inner, dtype=kind), torch.randn(columns, inner, dtype=kind), times)
        for rows, inner, columns, times in shapes_of(patch, batch)
    ]

    def run() -> None:
        for left, right, times in pairs:
            for _ in range(times):
                torch.nn.functional.linear(left, right)

    return run


def products_only(_: Path, __: list[str], precision: str = "bf16") -> Result:
    """The products of ViT-B-32: a ceiling."""
    run = products_of(32, BATCH, precision)
    with torch.inference_mode():
        run()
        return min((_timed(BATCH, run) for _ in range(5)), key=lambda found: found["seconds"])


def products_of_bytes(_: Path, __: list[str]) -> Result:
    """The products of ViT-B-32 in int8 by ONNX Runtime, image by image as a tower runs them."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    random, nodes, weights, inputs = np.random.default_rng(0), [], [], {}
    for rows, inner, columns, times in shapes_of(32, 1):
        inputs[f"x{inner}x{rows}"] = random.standard_normal((rows, inner), dtype=np.float32)
        for _ in range(times):
            at = str(len(nodes))
            bytes_ = random.integers(-63, 64, (inner, columns), dtype=np.int8)
            weights.append(numpy_helper.from_array(bytes_, f"w{at}"))
            weights.append(numpy_helper.from_array(np.ones(columns, np.float32), f"s{at}"))
            names = [f"x{inner}x{rows}", f"w{at}", f"s{at}"]
            nodes.append(
                helper.make_node("DynamicQuantizeMatMul", names, [at], domain="com.microsoft")
            )
    told = [helper.make_tensor_value_info(n, TensorProto.FLOAT, x.shape) for n, x in inputs.items()]
    ends = [helper.make_tensor_value_info(n.output[0], TensorProto.FLOAT, None) for n in nodes]
    graph = helper.make_graph(nodes, "products", told, ends, weights)
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    file = helper.make_model(graph, opset_imports=domains, ir_version=9).SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    session.run(None, inputs)
    runs = (_timed(1, lambda: session.run(None, inputs)) for _ in range(BATCH))
    return min(runs, key=lambda found: found["seconds"])


def by_hand(model: Path, images: list[str], workers: int, processes: bool, threads: int) -> Result:
    """Workers decode beside the encoder in a loop without cache: threads against processes."""
    # Spawned: a fork of a process whose OpenMP threads have run may hang.
    pool_of_processes = partial(ProcessPoolExecutor, mp_context=get_context("spawn"))
    kind: Callable[[int], Executor] = pool_of_processes if processes else ThreadPoolExecutor
    encoder = _encoder(model)
    torch.set_num_threads(threads)
    with kind(workers) as pool:
        list(pool.map(_fetch, images[: 8 * workers]))  # processes started, modules imported

        def work() -> None:
            paths = iter(images)
            queue: list[Future[torch.Tensor]] = [
                pool.submit(_fetch, path) for path in islice(paths, 3 * BATCH)
            ]
            while queue:
                batch = torch.stack([future.result() for future in queue[:BATCH]])
                queue = queue[BATCH:] + [pool.submit(_fetch, p) for p in islice(paths, BATCH)]
                with torch.inference_mode():
                    encoder.encode_images(batch)

        return _timed(len(images), work)


CONTENDERS: dict[str, Callable[..., Result]] = {
    "clipfg": clipfg,
    "clipfg fp32": lambda m, p: clipfg(m, p, precision="fp32"),
    "clipfg int8": lambda m, p: clipfg(m, p, precision="int8"),
    "open_clip loop": open_clip_loop,
    "transformers pipeline": transformers_pipeline,
    "decode only, 1 thread": lambda m, p: decode_only(m, p, workers=1),
    "decode only, 2 threads": lambda m, p: decode_only(m, p, workers=2),
    "encode only": encode_only,
    "encode only fp32": lambda m, p: encode_only(m, p, precision="fp32"),
    "encode only int8": lambda m, p: encode_only(m, p, precision="int8"),
    "products only bf16": products_only,
    "products only int8": products_of_bytes,
    "products only fp32": lambda m, p: products_only(m, p, precision="fp32"),
}
SWEEP: dict[str, Callable[..., Result]] = {
    f"{workers} {'processes' if processes else 'threads'}, torch {threads}": (
        lambda m, p, w=workers, q=processes, t=threads: by_hand(m, p, w, q, t)
    )
    for threads in (2, 1)
    for processes in (False, True)
    for workers in (1, 2, 3)
}

if __name__ == "__main__":
    name, model, images = sys.argv[1:4]
    if "LD_PRELOAD" in os.environ:  # held to AVX2, of which /proc/cpuinfo knows nothing
        precision.cpu_flags = quantised.cpu_flags = lambda: {"avx2"}
    chosen = (CONTENDERS | SWEEP)[name]
    found = chosen(Path(model), Path(images).read_text().splitlines())
    print(json.dumps(found | {"peak_mib": peak()}))
