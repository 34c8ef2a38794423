"""Train `builtin:florette` on synthflora: `python -m clipfg.training.florette.train --out DIR`.

The loss is CLIP's symmetric contrastive loss over long, short and name captions, plus a loss that
ties the mean of a part's patch tokens to the part's phrase. A caption that also happens to be true
of another image of the batch counts as neither positive nor negative for it.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from clipfg.data.synthflora.captions import Caption, phrase, training_caption
from clipfg.data.synthflora.taxonomy import ATTRIBUTES
from clipfg.encoders.open_clip.files import CONFIG, WEIGHTS
from clipfg.encoders.open_clip.texts import encode_tokens
from clipfg.functional.regions import coverage
from clipfg.training.florette.pool import PARTS, TrainingImages, draw_pool
from clipfg.training.florette.recipe import FloretteRecipe
from clipfg.training.florette.vocabulary import corpus, learn_merges, write_merges

MERGES_FILE = "bpe_merges.txt.gz"
_NAMES = tuple(ATTRIBUTES)


class TokenCache:
    """Tokenises captions, each distinct one once, and trims a batch to its longest."""

    def __init__(self, tokenizer: Callable[[list[str]], Tensor]) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Token ids `[t, l]`."""
        missing = sorted({text for text in texts if text not in self._known})
        if missing:
            self._known.update(zip(missing, self._tokenizer(missing), strict=True))
        ids = torch.stack([self._known[text] for text in texts])
        return ids[:, : int(ids.argmax(dim=1).max()) + 1]  # the end token has the highest id


def build(folder: Path) -> tuple[Any, SimpleTokenizer]:
    """A fresh model and its tokenizer from the configuration and the merges in `folder`."""
    config = json.loads((folder / CONFIG).read_text())["model_cfg"]
    config.pop("custom_text")
    model = open_clip.CustomTextCLIP(**config)
    model.visual.output_tokens = True
    text = config["text_cfg"]
    tokenizer = SimpleTokenizer(
        bpe_path=str(folder / text["tokenizer_kwargs"]["bpe_path"]),
        context_length=text["context_length"],
    )
    return model, tokenizer


def load(folder: Path) -> tuple[Any, SimpleTokenizer]:
    """A trained model, in float32 and evaluation mode, and its tokenizer."""
    model, tokenizer = build(folder)
    model.load_state_dict(load_file(folder / WEIGHTS[0]))
    return model.eval(), tokenizer


def write_configuration(recipe: FloretteRecipe, folder: Path) -> None:
    """Write the merges file and `open_clip_config.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = learn_merges(corpus(), recipe.merges)
    write_merges(merges, folder / MERGES_FILE)
    # The vocabulary: bytes, word-final bytes, merges, start and end.
    config = recipe.config(512 + len(merges) + 2, MERGES_FILE)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def truth(codes: NDArray[np.int8], captions: Sequence[Caption], of: NDArray[np.int64]) -> Tensor:
    """Which images each caption is true of `[t, b]`; caption t was written for image of[t]."""
    stated = np.array([[name in c.states for name in _NAMES] for c in captions])
    agree = codes[of][:, None, :] == codes[None, :, :]
    return torch.from_numpy((agree | ~stated[:, None, :]).all(axis=2))


def contrastive_loss(logits: Tensor, also_true: Tensor) -> Tensor:
    """CLIP's loss on logits `[b, b]` of image i and text j, ignoring other true pairs.

    `also_true[j, i]` says whether text j is true of image i.
    """
    right = torch.arange(len(logits))
    ignored = also_true.T.clone()
    ignored[right, right] = False
    kept = logits.masked_fill(ignored, -torch.inf)
    return (functional.cross_entropy(kept, right) + functional.cross_entropy(kept.T, right)) / 2


class Trainer:
    """One training run; `step` takes the indices of a batch."""

    def __init__(
        self, recipe: FloretteRecipe, pool: TrainingImages, folder: Path, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.recipe, self.pool = recipe, pool
        self.model, tokenizer = build(folder)
        self.texts = TokenCache(tokenizer)
        self.rng = np.random.default_rng([seed, 1])
        self.steps = max(1, recipe.samples // recipe.batch_size)
        parameters = list(self.model.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": recipe.weight_decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))

    def batches(self) -> Iterator[NDArray[np.int64]]:
        """Indices of every batch: the pool, reshuffled again and again."""
        size = self.recipe.batch_size
        order = np.empty(0, dtype=np.int64)
        for _ in range(self.steps):
            while len(order) < size:
                order = np.concatenate([order, self.rng.permutation(len(self.pool))])
            yield order[:size]
            order = order[size:]

    def _pixels(self, batch: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Normalised pixels `[b, 3, s, s]` and boxes `[b, 4, 4]`, half of them mirrored."""
        images, boxes = self.pool.images[batch], self.pool.boxes[batch].copy()
        mirrored = self.rng.random(len(batch)) < 0.5
        images[mirrored] = images[mirrored, :, ::-1]
        boxes[mirrored] = boxes[mirrored][..., [2, 1, 0, 3]] * [-1, 1, -1, 1] + [1, 0, 1, 0]
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        return pixels, torch.from_numpy(boxes).float()

    def _caption_loss(self, pooled: Tensor, batch: NDArray[np.int64], scale: Tensor) -> Tensor:
        traits = [self.pool.traits(int(i)) for i in batch]
        captions = [training_caption(t, self.rng, self.recipe.long_share) for t in traits]
        also_true = truth(self.pool.codes[batch], captions, np.arange(len(batch)))
        texts = encode_tokens(self.model, self.texts([c.text for c in captions]))
        logits = scale * pooled @ functional.normalize(texts, dim=-1).T
        return contrastive_loss(logits.float(), also_true)

    def _region_loss(
        self, tokens: Tensor, boxes: Tensor, batch: NDArray[np.int64], scale: Tensor
    ) -> Tensor:
        """Cross-entropy of each visible part among all phrases of the batch."""
        side = self.recipe.image_size // self.recipe.patch_size
        style = int(self.rng.integers(3))
        shown = ((boxes[..., 2:] - boxes[..., :2]).min(dim=-1).values > 0.04).nonzero()
        phrases = [
            phrase(self.pool.traits(int(batch[row])), PARTS[slot], style).text
            for row, slot in shown.tolist()
        ]
        vocabulary = sorted(set(phrases))
        place = {text: index for index, text in enumerate(vocabulary)}
        target = torch.tensor([place[text] for text in phrases])
        dense = tokens @ self.model.visual.proj
        weights = coverage(boxes[shown[:, 0], shown[:, 1]], (side, side)).to(dense.dtype)
        parts = torch.einsum("rp,rpd->rd", weights, dense[shown[:, 0]])
        texts = functional.normalize(encode_tokens(self.model, self.texts(vocabulary)), dim=-1)
        logits = scale * functional.normalize(parts, dim=-1) @ texts.T
        return functional.cross_entropy(logits.float(), target)

    def step(self, batch: NDArray[np.int64], number: int) -> dict[str, float]:
        """One update; returns the losses."""
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * schedule(number / self.steps, recipe.warmup)
        pixels, boxes = self._pixels(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):  # AMX, where the CPU has it
            pooled, tokens = self.model.visual(pixels)
            scale = self.model.logit_scale.exp()
            caption = self._caption_loss(functional.normalize(pooled, dim=-1), batch, scale)
            region = self._region_loss(tokens, boxes, batch, scale)
            loss = caption + recipe.region_weight * region
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), recipe.gradient_clip)
        self.optimizer.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(max=math.log(recipe.max_logit_scale))
        return {"caption": caption.item(), "region": region.item(), "scale": scale.item()}


def schedule(done: float, warmup: float) -> float:
    """Learning rate factor after the share `done` of the steps: linear warm-up, then cosine."""
    if done < warmup:
        return (done + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


def train(
    folder: Path,
    seed: int,
    recipe: FloretteRecipe | None = None,
    pool: TrainingImages | None = None,
    workers: int = 2,
    say: Callable[[str], None] = print,
) -> None:
    """Train with `recipe` and write configuration, merges and weights into `folder`."""
    recipe = recipe or FloretteRecipe()
    write_configuration(recipe, folder)
    if pool is None:
        pool = draw_pool(seed, recipe.images, recipe.image_size, workers)
    trainer = Trainer(recipe, pool, folder, seed)
    start = time.monotonic()
    for number, batch in enumerate(trainer.batches()):
        with sdpa_kernel(SDPBackend.MATH):  # twice as fast as flash on a CPU with 65 tokens
            losses = trainer.step(batch, number)
        if number % 50 == 0 or number == trainer.steps - 1:
            shown = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            say(f"step {number}/{trainer.steps} {shown} {time.monotonic() - start:.0f} s")
    weights = {k: v.detach().half().contiguous() for k, v in trainer.model.state_dict().items()}
    save_file(weights, folder / WEIGHTS[0], metadata={"format": "pt"})


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train builtin:florette on synthflora.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument(
        "--pool",
        type=Path,
        help="file (.npz) in which to save the drawn images, or from which to reuse them",
    )
    parser.add_argument("--samples", type=int, default=FloretteRecipe.samples)
    parser.add_argument("--region-weight", type=float, default=FloretteRecipe.region_weight)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw images")
    parser.add_argument("--threads", type=int, default=1, help="threads that train")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    recipe = replace(FloretteRecipe(), samples=args.samples, region_weight=args.region_weight)
    if args.pool is not None and not args.pool.exists():
        draw_pool(args.seed, recipe.images, recipe.image_size, args.workers).save(args.pool)
    pool = None if args.pool is None else TrainingImages.load(args.pool)
    train(args.out, args.seed, recipe, pool, args.workers)


if __name__ == "__main__":
    main()
