"""Would a text tower of bytes pay? And what positions first bring in a tower of open_clip.

    OMP_NUM_THREADS=1 python benchmarks/embed_texts.py [--model MODEL]

1,000 texts of classes, "a photo of a ...", in batches of 64 on one core; by default with a ViT-B-32
of random weights. The tower runs in float32 and bf16, as open_clip lays it out and with positions
first, and in int8 by ONNX Runtime, exported as image towers are: text by text, or in batches, where
a feature depends on its neighbours. In turns; processor seconds are medians.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.embed import machine
from benchmarks.embed_contenders import make_model
from clipfg.encoders import Encoder, load_encoder, quantised
from clipfg.encoders.open_clip.encoder import OpenClipEncoder

WORDS = ["red", "yellow", "northern", "great", "lesser", "black", "white", "crested", "spotted"]
TEXTS = [f"a photo of a {a} {b} {c}-toed gull." for a, b, c in product(WORDS, WORDS, WORDS * 2)]
TEXTS = TEXTS[:1000]
BATCH = 64


class PlainAttention(TorchFunctionMode):
    """Self-attention in products that ONNX takes for texts of any length."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        options = options or {}
        if function is not functional.multi_head_attention_forward:
            return function(*arguments, **options)
        x, _, _, width, heads, weight, bias, *_, out, out_bias = arguments
        joined = functional.linear(x, weight, bias).unflatten(-1, (3, heads, width // heads))
        q, k, v = joined.permute(2, 1, 3, 0, 4).unbind()
        weights = q * (width // heads) ** -0.5 @ k.transpose(-2, -1) + options["attn_mask"]
        found = (weights.softmax(-1) @ v).permute(2, 0, 1, 3).flatten(2)
        return functional.linear(found, out, out_bias), None


class TextTower(nn.Module):
    """From token ids, and where they end (open_clip) or which of them count (transformers)."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.model: Any = encoder.model
        self.causal = isinstance(encoder, OpenClipEncoder)

    def forward(self, ids: Tensor, more: Tensor) -> Tensor:
        """Features of texts."""
        if not self.causal:
            return self.model.get_text_features(input_ids=ids, attention_mask=more).pooler_output
        tower = getattr(self.model, "text", self.model)
        length = ids.shape[1]
        x = tower.token_embedding(ids) + tower.positional_embedding[:length]
        x = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])
        return tower.ln_final(x[torch.arange(ids.shape[0]), more]) @ tower.text_projection


def tokens_of(encoder: Any, texts: list[str]) -> tuple[Tensor, Tensor]:
    """What `TextTower` takes."""
    if not isinstance(encoder, OpenClipEncoder):
        found = encoder.tokenizer(texts, padding=True, return_tensors="pt")
        return found["input_ids"], found["attention_mask"]
    ids = encoder.tokenizer(texts)
    ends = ids.argmax(dim=1)
    return ids[:, : int(ends.max()) + 1], ends


def export(encoder: Encoder, path: Path) -> None:
    """The text tower with products of bytes."""
    axes = {0: "t", 1: "l"}
    sample = tokens_of(encoder, TEXTS[:2])
    with torch.no_grad(), PlainAttention():
        torch.onnx.export(
            TextTower(encoder).eval(),
            sample,
            str(path),
            input_names=["ids", "more"],
            dynamic_axes={"ids": axes, "more": axes if sample[1].dim() == 2 else {0: "t"}},
            dynamo=False,
            opset_version=quantised.OPSET,
        )
    quantize_dynamic(
        str(path),
        str(path.with_suffix(".int8")),
        op_types_to_quantize=quantised.PRODUCTS,
        per_channel=True,
        reduce_range=quantised.weight_bits() == 7,
        weight_type=QuantType.QInt8,
    )


def in_bytes(encoder: Encoder, path: Path, batch: int) -> Callable[[], Tensor]:
    """All texts through the exported tower."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def encode(texts: list[str]) -> Tensor:
        ids, more = tokens_of(encoder, texts)
        return torch.from_numpy(session.run(None, {"ids": ids.numpy(), "more": more.numpy()})[0])

    return lambda: torch.cat([encode(TEXTS[i : i + batch]) for i in range(0, len(TEXTS), batch)])


def by_torch(encoder: Encoder, *, first: bool) -> Tensor:
    """All texts through the encoder, whose positions come `first` or not."""
    transformer = getattr(getattr(encoder.model, "text", encoder.model), "transformer", None)
    if isinstance(encoder, OpenClipEncoder) and hasattr(transformer, "resblocks"):
        for part in (transformer, *(block.attn for block in transformer.resblocks)):
            part.batch_first = not first
    batches = (TEXTS[i : i + BATCH] for i in range(0, len(TEXTS), BATCH))
    return torch.cat([encoder.encode_texts(batch) for batch in batches])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="an encoder by name, open_clip's or transformers'")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as name:
        folder = Path(name)
        if not chosen.model:
            make_model(folder)
        model = chosen.model or f"open_clip:local-dir:{folder}"
        exact, half = (load_encoder(model, precision=p, device="cpu") for p in ("fp32", "bf16"))
        expected = by_torch(exact, first=True)
        started = time.process_time()
        export(exact, path := folder / "text.onnx")
        print(f"{machine()}\nexported in {time.process_time() - started:.1f} processor seconds\n")
        runs: dict[str, Callable[[], Tensor]] = {}
        for encoder in (exact, half):
            for first in (False, True) if isinstance(exact, OpenClipEncoder) else (True,):
                order = "positions first" if first else "open_clip's order"
                runs[f"{encoder.precision}, {order}"] = partial(by_torch, encoder, first=first)
        runs["int8, text by text"] = in_bytes(exact, path.with_suffix(".int8"), 1)
        runs["int8, batches"] = in_bytes(exact, path.with_suffix(".int8"), BATCH)
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        least = {}
        for _ in range(chosen.rounds):
            for name, run in runs.items():
                started = time.process_time()
                found = run()
                seconds[name].append(time.process_time() - started)
                least[name] = functional.cosine_similarity(found, expected).min().item()
    print(f"{len(TEXTS):,} texts                processor s   lowest cosine to fp32")
    for name, each in seconds.items():
        print(f"{name:24}  {statistics.median(each):12.2f}  {least[name]:22.5f}")


if __name__ == "__main__":
    main()
