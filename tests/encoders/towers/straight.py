"""Vision transformers written from their papers, on the weights that a library holds."""

import torch
from torch import Tensor
from torch.nn import functional

Weights = dict[str, Tensor]


def part(weights: Weights, start: str) -> Weights:
    return {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}


def norm(x: Tensor, weights: Weights, name: str, eps: float = 1e-5) -> Tensor:
    if f"{name}.weight" not in weights:
        return x
    centred = x - x.mean(-1, keepdim=True)
    unit = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return unit * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x: Tensor, weights: Weights, name: str) -> Tensor:
    y = x @ weights[f"{name}.weight"].T
    return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y


def canonical(weights: Weights, names: dict[str, str], fused: str | None = None) -> Weights:
    """A block's weights by one set of names: ln1, q, k, v, out, ls1, ln2, fc1, fc2, ls2."""
    weights = dict(weights)
    if fused is not None:
        for ending in ("weight", "bias"):
            joined = weights.pop(f"{fused}{ending}", None)
            if joined is not None:
                thirds = joined.chunk(3)
                weights |= {f"{n}.{ending}": t for n, t in zip("qkv", thirds, strict=True)}
    for theirs, ours in names.items():
        for ending in ("weight", "bias", "gamma"):
            if f"{theirs}.{ending}" in weights:
                weights[f"{ours}.{ending}"] = weights.pop(f"{theirs}.{ending}")
    return weights


def heads_apart(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def probabilities(x: Tensor, w: Weights, heads: int, eps: float) -> Tensor:
    normed = norm(x, w, "ln1", eps)
    q, k = (heads_apart(linear(normed, w, name), heads) for name in "qk")
    q, k = norm(q, w, "attn.q_norm", eps), norm(k, w, "attn.k_norm", eps)
    return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)


def _scaled(x: Tensor, w: Weights, name: str) -> Tensor:
    return x * w[f"{name}.gamma"] if f"{name}.gamma" in w else x


def feed_forward(x: Tensor, w: Weights, act: object, eps: float) -> Tensor:
    hidden = act(linear(norm(x, w, "ln2", eps), w, "fc1"))  # type: ignore[operator]
    return x + _scaled(linear(hidden, w, "fc2"), w, "ls2")


def block(x: Tensor, w: Weights, heads: int, act: object, eps: float = 1e-5) -> Tensor:
    values = heads_apart(linear(norm(x, w, "ln1", eps), w, "v"), heads)
    mixed = (probabilities(x, w, heads, eps) @ values).transpose(1, 2).flatten(2)
    return feed_forward(x + _scaled(linear(mixed, w, "out"), w, "ls1"), w, act, eps)


def value_path(x: Tensor, w: Weights, eps: float = 1e-5) -> Tensor:
    """out_proj(v_proj(LN1 x)): no queries, no keys."""
    return _scaled(linear(linear(norm(x, w, "ln1", eps), w, "v"), w, "out"), w, "ls1")


def quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


gelu = functional.gelu


def gelu_tanh(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def attention_pool_alone(x: Tensor, w: Weights, act: object, eps: float) -> Tensor:
    """SigLIP's head where each token is the only key, whatever the query: a + MLP(LN a)."""
    value = linear(linear(x, w, "v"), w, "out")
    return feed_forward(value, w, act, eps)
