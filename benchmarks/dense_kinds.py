"""Which way to read patches points best, by kind of tower.

Small towers of other kinds than florette's are trained on synthflora to agree with florette's own,
frozen texts: by captions of whole pictures alone, so that no patch is ever told what it shows.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.pointing import (
    Ways,
    compare_ways,
    flower_parts,
    inputs_of,
    unit_texts,
    ways_of_open_clip,
)
from clipfg.encoders import load_encoder
from clipfg.encoders.towers import TokenTower, VisionTower
from clipfg.encoders.towers.open_clip import open_clip_tower
from clipfg.encoders.towers.transformers import transformers_tower
from clipfg.training.florette.pool import TrainingImages, draw_pool
from clipfg.training.florette.recipe import FloretteRecipe
from clipfg.training.florette.train import Trainer, schedule, write_configuration

FLORETTE = Path(__file__).parents[1] / "clipfg" / "encoders" / "florette"
LAYERS, WIDTH, HEADS = 4, 128, 4


def class_token_tower(recipe: FloretteRecipe) -> tuple[nn.Module, VisionTower, Ways]:
    """CLIP's kind: a class token gathers the patches."""
    from open_clip.transformer import VisionTransformer

    size = {"width": WIDTH, "layers": LAYERS, "heads": HEADS, "mlp_ratio": 4.0}
    visual = VisionTransformer(
        recipe.image_size, recipe.patch_size, output_dim=recipe.embedding, **size
    )
    return visual, open_clip_tower(visual, visual), ways_of_open_clip


def attention_pooled_tower(recipe: FloretteRecipe) -> tuple[nn.Module, VisionTower, Ways]:
    """SigLIP's kind: a head pools all patches by attention."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    size = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS}
    vision = SiglipVisionModel(
        SiglipVisionConfig(
            **size,
            num_attention_heads=HEADS,
            image_size=recipe.image_size,
            patch_size=recipe.patch_size,
        )
    )
    projection = nn.Linear(WIDTH, recipe.embedding, bias=False)
    model = nn.ModuleDict({"vision_model": vision, "visual_projection": projection})

    def run(pixels: Tensor) -> Tensor:
        return projection(vision(pixel_values=pixels).pooler_output)

    return model, transformers_tower(model, run), ways_of_siglip


def ways_of_siglip(
    tower: TokenTower, before: Tensor, after: Tensor
) -> Iterator[tuple[str, Tensor]]:
    """With the pooling head on each token, with all of it, with less of it, and without it."""
    vision, project = tower.vision, tower.projection  # type: ignore[attr-defined]
    head, tokens = vision.head, vision.post_layernorm(after)
    alone = tokens.flatten(0, 1)[:, None]
    value = head.attention(alone, alone, alone)[0].view_as(tokens)
    mixed = head.attention(tokens, tokens, tokens)[0]
    yield "head on each token alone", tower.pool_each(after)
    yield "head's value alone", project(value)
    yield "head, each token a query to all", project(mixed + head.mlp(head.layernorm(mixed)))
    yield "tokens after the last block", project(tokens)
    yield "head on each token before the last block", tower.pool_each(before)


KINDS: dict[str, Callable[[FloretteRecipe], tuple[nn.Module, VisionTower, Ways]]] = {
    "class token (CLIP)": class_token_tower,
    "attention pool (SigLIP)": attention_pooled_tower,
}


class CaptionTrainer(Trainer):
    """Trains a tower by florette's caption loss, against florette's texts, which stay."""

    def __init__(
        self, recipe: FloretteRecipe, pool: TrainingImages, folder: Path, tower: nn.Module
    ) -> None:
        super().__init__(recipe, pool, folder, seed=0)
        from safetensors.torch import load_file

        self.model.load_state_dict(load_file(FLORETTE / "open_clip_model.safetensors"))
        self.model.requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            tower.parameters(), recipe.learning_rate, (0.9, 0.98), weight_decay=recipe.weight_decay
        )

    def learn(self, run: Callable[[Tensor], Tensor]) -> float:
        """All steps; returns the mean loss of the last twenty."""
        losses: list[float] = []
        scale = self.model.logit_scale.exp()
        for number, batch in enumerate(self.batches()):
            for group in self.optimizer.param_groups:
                share = schedule(number / self.steps, self.recipe.warmup)
                group["lr"] = self.recipe.learning_rate * share
            pixels, _ = self._pixels(batch)
            with torch.autocast("cpu", dtype=torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
                pooled = functional.normalize(run(pixels).float(), dim=-1)
                loss = self._caption_loss(pooled, batch, scale)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return float(np.mean(losses[-20:]))


def compare(count: int, samples: int, pool_file: Path | None) -> None:
    """Train a tower of each kind and print its table."""
    recipe = replace(FloretteRecipe(), samples=samples)
    if pool_file is not None and pool_file.exists():
        pool = TrainingImages.load(pool_file)
    else:
        pool = draw_pool(0, min(samples, 24_000), recipe.image_size, 1)
        if pool_file is not None:
            pool.save(pool_file)
    florette = load_encoder("builtin:florette", precision="fp32", device="cpu")
    images, parts = flower_parts(count)
    inputs = inputs_of(florette, images)
    texts = unit_texts(florette, sorted({part.text for part in parts}))
    for kind, make in KINDS.items():
        torch.manual_seed(0)
        module, tower, ways = make(recipe)
        with TemporaryDirectory() as folder:
            write_configuration(recipe, Path(folder))
            trainer = CaptionTrainer(recipe, pool, Path(folder), module)
        start = time.process_time()
        loss = trainer.learn(tower.run)
        spent = time.process_time() - start
        print(
            f"{kind}, {samples} pictures by captions alone, loss {loss:.2f}, {spent:.0f} processor"
            f" seconds; {count} flowers, {len(texts)} phrases"
        )
        module.eval().requires_grad_(False)
        compare_ways(tower, inputs, texts, parts, ways)  # type: ignore[arg-type]
