"""Log-probabilities of many answers to one prompt, which is computed only once."""

import copy
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from clipfg.icl.boundary import AnswerTokens

Inputs = Mapping[str, Tensor]
"""A processor's output for one prompt: `input_ids` `[1, l]`, pixels, and more by model family."""

BUDGET = 1 << 30
"""Maximum size of the keys, values and logits of one batch of answers, in bytes."""


def without_end(inputs: Inputs, dropped: int) -> dict[str, Tensor]:
    """The inputs without the last `dropped` tokens, in every tensor with a value per token."""
    whole = inputs["input_ids"].shape
    return {
        name: value[:, : whole[1] - dropped] if value.shape == whole else value
        for name, value in inputs.items()
    }


def with_end(inputs: Inputs, tail: Sequence[int]) -> dict[str, Tensor]:
    """The inputs with more text tokens appended."""
    longer = dict(inputs)
    for name, value in inputs.items():
        if name == "input_ids":
            more = value.new_tensor([list(tail)])
        elif value.shape == inputs["input_ids"].shape:
            # the attention mask is 1; token types are 0 for text
            more = value.new_full((1, len(tail)), int(name == "attention_mask"))
        else:
            continue
        longer[name] = torch.cat([value, more], dim=1)
    return longer


@torch.inference_mode()
def plain_scores(model: nn.Module, inputs: Inputs, answers: AnswerTokens) -> Float[Tensor, " c"]:
    """`sum_i log p(answer_i | prompt, answer_<i)` by a full forward pass for each answer.

    `inputs` end where the answers' tails begin. Slow, but correct for every model; the reference
    for `cached_scores`.
    """
    sums = []
    for tail, skip in zip(answers.tails, answers.starts, strict=True):
        output = model(**with_end(inputs, tail), use_cache=False, logits_to_keep=len(tail) + 1)
        logits = output.logits[0, :-1]
        sums.append(_of_tokens(logits, torch.tensor(tail, device=logits.device))[skip:].sum())
    return torch.stack(sums).cpu()


@torch.inference_mode()
def cached_scores(
    model: nn.Module, inputs: Inputs, answers: AnswerTokens, budget: int = BUDGET
) -> Float[Tensor, " c"]:
    """The same sums from one pass over the prompt, whose keys and values batches of answers reuse.

    Answers are padded on the right, where causal attention does not see the padding. The model
    assigns positions itself, continuing from its cache (with Qwen's M-RoPE, from the offset that
    the images caused).
    """
    prefix = model(**inputs, use_cache=True, logits_to_keep=1)
    name = _cache_name(model)
    cache, first = prefix[name], torch.log_softmax(prefix.logits[0, -1].float(), dim=-1)
    sums = torch.empty(len(answers.tails))
    row_bytes = _bytes(cache) + 8 * len(first) * max(map(len, answers.tails))
    # Batches of similar length keep padding low.
    order = sorted(range(len(sums)), key=lambda row: len(answers.tails[row]))
    size = max(1, budget // row_bytes)
    for rows in (order[start : start + size] for start in range(0, len(order), size)):
        tails = [answers.tails[row] for row in rows]
        ids = pad_sequence([torch.tensor(t) for t in tails], batch_first=True).to(first.device)
        scores = first[ids[:, :1]]
        if ids.shape[1] > 1:
            past: dict[str, Any] = {name: _shared(cache, len(rows))}
            logits = model(input_ids=ids[:, :-1], use_cache=True, **past).logits
            scores = torch.cat([scores, _of_tokens(logits, ids[:, 1:])], dim=1)
        for row, own in zip(rows, scores.cpu(), strict=True):
            sums[row] = own[answers.starts[row] : len(answers.tails[row])].sum()
    return sums


def _of_tokens(logits: Tensor, ids: Tensor) -> Tensor:
    """Log-probabilities of `ids` `[..., t]` under `logits` `[..., t, v]`."""
    return torch.log_softmax(logits.float(), dim=-1).gather(-1, ids[..., None])[..., 0]


def _cache_name(model: nn.Module) -> str:
    """The argument for keys and values, which transformers renamed within version 5."""
    return "cache" if "cache" in signature(model.forward).parameters else "past_key_values"


def _bytes(cache: Any) -> int:
    return sum(
        part.numel() * part.element_size()
        for layer in cache.layers
        for part in (layer.keys, layer.values)
    )


def _shared(cache: Any, rows: int) -> Any:
    """A cache for `rows` answers to the same prompt; the original is not changed.

    The prompt's keys and values are expanded views; appending to a layer makes a new tensor.
    """
    wide = copy.copy(cache)
    wide.layers = [copy.copy(layer) for layer in cache.layers]
    for layer in wide.layers:
        layer.keys = layer.keys.expand(rows, -1, -1, -1)
        layer.values = layer.values.expand(rows, -1, -1, -1)
    return wide
