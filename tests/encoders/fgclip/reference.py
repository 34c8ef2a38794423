"""FG-CLIP written out in NumPy from its description: no model code, no attention of a library."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

Array = np.ndarray
Weights = dict[str, Array]


def weights_of(folder: Path) -> Weights:
    state = load_file(folder / "model.safetensors")
    return {name: value.astype(np.float64) for name, value in state.items()}


def linear(w: Weights, name: str, x: Array) -> Array:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0.0)


def norm(w: Weights, name: str, x: Array, eps: float) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
    return centred / spread * w[f"{name}.weight"] + w[f"{name}.bias"]


def quick_gelu(x: Array) -> Array:
    return x / (1 + np.exp(-1.702 * x))


def tanh_gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def attend(q: Array, k: Array, v: Array, heads: int, seen: Array) -> Array:
    """Softmax attention head by head; `seen[i, j]` says whether query i may look at key j."""
    width = q.shape[-1] // heads
    out = np.empty((len(q), q.shape[-1]))
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        scores = q[:, part] @ k[:, part].T / math.sqrt(width)
        scores = np.where(seen, scores, -np.inf)
        shares = np.exp(scores - scores.max(1, keepdims=True))
        out[:, part] = shares / shares.sum(1, keepdims=True) @ v[:, part]
    return out


def mlp(w: Weights, name: str, x: Array, act: Callable[[Array], Array]) -> Array:
    return linear(w, f"{name}.fc2", act(linear(w, f"{name}.fc1", x)))


def block(
    w: Weights, name: str, x: Array, heads: int, seen: Array, act: Callable, eps: float
) -> Array:
    normed = norm(w, f"{name}.layer_norm1", x, eps)
    q, k, v = (linear(w, f"{name}.self_attn.{each}_proj", normed) for each in "qkv")
    x = x + linear(w, f"{name}.self_attn.out_proj", attend(q, k, v, heads, seen))
    return x + mlp(w, f"{name}.mlp", norm(w, f"{name}.layer_norm2", x, eps), act)


def depth(w: Weights, tower: str) -> int:
    start = f"{tower}.encoder.layers."
    return 1 + max(int(n[len(start) :].split(".")[0]) for n in w if n.startswith(start))


def long_table(w: Weights) -> Array:
    tables = "text_model.embeddings.position_embedding"
    rows = w[f"{tables}_res.weight"].copy()
    rows[:20] = w[f"{tables}_ori.weight"][:20]
    return rows


def text1(w: Weights, ids: list[int], path: str, heads: int) -> Array:
    short = w["text_model.embeddings.position_embedding.weight"]
    x = w["text_model.embeddings.token_embedding.weight"][ids]
    x = x + (long_table(w) if path == "long" else short)
    causal = np.tril(np.ones((len(ids), len(ids)), dtype=bool))
    for i in range(depth(w, "text_model")):
        x = block(w, f"text_model.encoder.layers.{i}", x, heads, causal, quick_gelu, 1e-5)
    end = norm(w, "text_model.final_layer_norm", x, 1e-5)[ids.index(49407)]
    return linear(w, "text_filip_projection" if path == "long" else "text_projection", end)


def image1(w: Weights, pixels: Array, heads: int) -> tuple[Array, Array]:
    """Pooled `[d]` and dense `[h, w, d]` features of normalised pixels `[3, s, s]`."""
    kernel = w["vision_model.embeddings.patch_embedding.weight"]
    size = kernel.shape[-1]
    side = pixels.shape[-1] // size
    tokens = [w["vision_model.embeddings.class_embedding"]]
    for row in range(side):
        for column in range(side):
            ys, xs = row * size, column * size
            patch = pixels[:, ys : ys + size, xs : xs + size]
            tokens.append((kernel * patch).sum((1, 2, 3)))
    x = np.array(tokens) + w["vision_model.embeddings.position_embedding.weight"]
    x = norm(w, "vision_model.pre_layrnorm", x, 1e-5)
    seen = np.ones((len(x), len(x)), dtype=bool)
    count = depth(w, "vision_model")
    for i in range(count - 1):
        x = block(w, f"vision_model.encoder.layers.{i}", x, heads, seen, quick_gelu, 1e-5)
    last = f"vision_model.encoder.layers.{count - 1}"
    whole = block(w, last, x, heads, seen, quick_gelu, 1e-5)
    pooled = linear(w, "visual_projection", norm(w, "vision_model.post_layernorm", whole[0], 1e-5))
    values = linear(w, f"{last}.self_attn.v_proj", norm(w, f"{last}.layer_norm1", x, 1e-5))
    y = x + linear(w, f"{last}.self_attn.out_proj", values)
    y = y + mlp(w, f"{last}.mlp", norm(w, f"{last}.layer_norm2", y, 1e-5), quick_gelu)
    y = norm(w, "vision_model.post_layernorm", y[1:], 1e-5)
    return pooled, linear(w, "visual_projection", y).reshape(side, side, -1)


def text2(w: Weights, ids: list[int], path: str, heads: int) -> Array:
    table = (
        long_table(w) if path == "long" else w["text_model.embeddings.position_embedding.weight"]
    )
    x = w["text_model.embeddings.token_embedding.weight"][ids] + table
    seen = np.ones((len(ids), len(ids)), dtype=bool)
    for i in range(depth(w, "text_model")):
        x = block(w, f"text_model.encoder.layers.{i}", x, heads, seen, tanh_gelu, 1e-6)
    head = {"short": "text_model.head", "long": "longtext_head", "box": "boxtext_head"}[path]
    return linear(w, head, norm(w, "text_model.final_layer_norm", x, 1e-6)[-1])


def resized(table: Array, rows: int, columns: int) -> Array:
    """A square table at another size: bilinear, antialiased, corners not aligned."""

    def along(size: int, wanted: int) -> Array:
        scale = size / wanted
        reach = max(scale, 1.0)
        matrix = np.zeros((wanted, size))
        for i in range(wanted):
            centre = (i + 0.5) * scale
            for j in range(size):
                matrix[i, j] = max(0.0, 1 - abs(j + 0.5 - centre) / reach)
        return matrix / matrix.sum(1, keepdims=True)

    down, across = along(len(table), rows), along(table.shape[1], columns)
    return np.einsum("ih,hwd,jw->ijd", down, table, across)


def image2(w: Weights, pixels: Array, heads: int) -> tuple[Array, Array]:
    """Pooled `[d]` and dense `[h, w, d]` features of normalised pixels `[3, 16 h, 16 w]`."""
    rows, columns = pixels.shape[1] // 16, pixels.shape[2] // 16
    patches = []
    for r in range(rows):
        for c in range(columns):
            patch = pixels[:, 16 * r : 16 * r + 16, 16 * c : 16 * c + 16]
            patches.append([patch[k, y, x] for y in range(16) for x in range(16) for k in range(3)])
    x = linear(w, "vision_model.embeddings.patch_embedding", np.array(patches))
    table = w["vision_model.embeddings.position_embedding.weight"]
    side = math.isqrt(len(table))
    x = x + resized(table.reshape(side, side, -1), rows, columns).reshape(len(x), -1)
    seen = np.ones((len(x), len(x)), dtype=bool)
    for i in range(depth(w, "vision_model")):
        x = block(w, f"vision_model.encoder.layers.{i}", x, heads, seen, tanh_gelu, 1e-6)
    x = norm(w, "vision_model.post_layernorm", x, 1e-6)

    def pool(head: str, queries: Array) -> Array:
        width = x.shape[1]
        matrix, bias = (w[f"{head}.attention.in_proj_{part}"] for part in ("weight", "bias"))
        q = queries @ matrix[:width].T + bias[:width]
        k = x @ matrix[width : 2 * width].T + bias[width : 2 * width]
        v = x @ matrix[2 * width :].T + bias[2 * width :]
        mask = np.ones((len(q), len(k)), dtype=bool)
        found = linear(w, f"{head}.attention.out_proj", attend(q, k, v, heads, mask))
        return found + mlp(w, f"{head}.mlp", norm(w, f"{head}.layernorm", found, 1e-6), tanh_gelu)

    pooled = pool("vision_model.head", w["vision_model.head.probe"][0])[0]
    return pooled, pool("dense_feature_head", x).reshape(rows, columns, -1)


def region(map_: Array, box: list[float]) -> Array:
    """RoIAlign of one box, in cells, to one feature."""
    height, width, _ = map_.shape
    x0, y0, x1, y1 = (value - 0.5 for value in box)
    down, across = math.ceil(y1 - y0), math.ceil(x1 - x0)
    total = np.zeros(map_.shape[2])
    for i in range(down):
        for j in range(across):
            y = y0 + (i + 0.5) * (y1 - y0) / down
            x = x0 + (j + 0.5) * (x1 - x0) / across
            if y < -1 or y > height or x < -1 or x > width:
                continue
            y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
            top, left = min(int(y), height - 1), min(int(x), width - 1)
            low, right = min(top + 1, height - 1), min(left + 1, width - 1)
            fy, fx = y - top, x - left
            total += (1 - fy) * ((1 - fx) * map_[top, left] + fx * map_[top, right])
            total += fy * ((1 - fx) * map_[low, left] + fx * map_[low, right])
    return total / (down * across)


def logits(w: Weights, images: Array, texts: Array) -> Array:
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    return np.exp(w["logit_scale"]) * (images @ texts.T) + w.get("logit_bias", 0.0)
