"""Tiny models of every family: what is said of answers against plain passes of the library."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.errors import DataError, MissingError
from clipfg.icl import LVLM, PromptWording, ask_name
from clipfg.icl.answer_scores import cached_scores, plain_scores
from clipfg.icl.prompts import Example, turns

NAMES = ["Sea holly", "owl", "red-winged blackbird", "rose", "lily"]
QUESTION = ask_name([("a", 0), ("b", 1)], "c", NAMES, range(5), PromptWording())


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    """Of three shapes, so that families cut and count them differently."""
    pixels = np.random.default_rng(0)
    sizes = ((40, 60), (64, 64), (30, 90))
    return [Image.fromarray(pixels.integers(0, 255, (*size, 3), dtype=np.uint8)) for size in sizes]


def by_hand(lvlm: LVLM, images, answer: str) -> float:
    """Mean log-probability of the answer's tokens: the whole conversation through the library."""
    messages = [
        {
            "role": turn.role,
            "content": [
                {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                for part in turn.parts
            ],
        }
        for turn in QUESTION.turns
    ]
    prompt = lvlm.processor.apply_chat_template(messages, add_generation_prompt=True)
    space = (
        "" if lvlm.name.startswith("qwen") else " "
    )  # the Idefics templates write "Assistant: x"
    lengths, batches = [], []
    for text in (prompt, prompt + space + answer):
        batch = lvlm.processor(text=[text], images=[images], return_tensors="pt")
        lengths.append(batch["input_ids"].shape[1])
        batches.append(batch)
    with torch.no_grad():
        logits = lvlm.model(**batches[1]).logits[0]
    ids = batches[1]["input_ids"][0]
    assert torch.equal(ids[: lengths[0]], batches[0]["input_ids"][0])
    sums = [
        float(logits[i - 1].double().log_softmax(0)[ids[i]]) for i in range(lengths[0], lengths[1])
    ]
    return sum(sums) / len(sums)


def test_scores_equal_those_of_plain_passes(lvlm, images) -> None:
    scores = lvlm.score(QUESTION.turns, images, NAMES)
    expected = [by_hand(lvlm, images, name) for name in NAMES]
    np.testing.assert_allclose(scores.normalised, expected, atol=1e-4)
    assert lvlm._agrees  # so it was the cache that gave them
    assert len(set(scores.tokens.tolist())) > 1
    assert len({round(score, 4) for score in expected}) == 5


@pytest.mark.parametrize("budget", [1, 60_000, 1 << 30])
def test_scores_do_not_depend_on_the_batch_size(lvlm, images, budget) -> None:
    inputs, split = lvlm._encode(QUESTION.turns, images, NAMES)
    cached = cached_scores(lvlm.model, inputs, split, budget=budget)
    np.testing.assert_allclose(cached, plain_scores(lvlm.model, inputs, split), atol=1e-4)


def test_images_and_their_order_matter(lvlm, images) -> None:
    one, two = (
        lvlm.score(QUESTION.turns, shown, NAMES).totals
        for shown in (images, [images[2], images[1], images[0]])
    )
    assert (one - two).abs().max() > 1e-3


def test_prompts_of_different_lengths_in_turn(lvlm, images) -> None:
    """What one prompt leaves behind (Qwen's rotary shift) does not reach the next."""
    before = lvlm.score(QUESTION.turns, images, NAMES).totals
    short = ask_name([], "c", NAMES, range(5), PromptWording())
    lvlm.score(short.turns, images[:1], NAMES)
    assert torch.equal(lvlm.score(QUESTION.turns, images, NAMES).totals, before)


def test_an_answer_is_scored_the_same_alone_and_among_others(lvlm, images) -> None:
    among = lvlm.score(QUESTION.turns, images, NAMES).totals
    for name, total in zip(NAMES, among, strict=True):
        alone = lvlm.score(QUESTION.turns, images, [name]).totals
        np.testing.assert_allclose(alone, [total], atol=1e-4)


def test_an_answer_that_merges_with_the_prompt(lvlm, images) -> None:
    """A prompt that ends in a space: with the answer's first letters it makes other tokens."""
    open_end = "{% if add_generation_prompt %}Assistant: {% endif %}"
    template = lvlm.processor.chat_template
    lvlm.processor.chat_template = template[: template.rindex("{% if add_generation")] + open_end
    try:
        inputs, split = lvlm._encode(QUESTION.turns, images, ["owl", "rose"])
        assert split.dropped == 1
        whole = lvlm.processor.tokenizer.decode(split.tails[0])
        assert whole.strip() == "owl"
        cached = cached_scores(lvlm.model, inputs, split)
        np.testing.assert_allclose(cached, plain_scores(lvlm.model, inputs, split), atol=1e-4)
    finally:
        lvlm.processor.chat_template = template


def test_a_model_that_cannot_continue_from_its_cache_is_detected(
    qwen, images, monkeypatch, caplog
) -> None:
    """Where cached scores are wrong, plain ones are used: here the rotary shift gets lost."""
    model = LVLM("qwen", qwen)
    honest = LVLM("qwen", qwen).score(QUESTION.turns, images, NAMES).totals
    forward = type(model.model.model).compute_3d_position_ids

    def forgetful(self, **inputs):
        positions = forward(self, **inputs)
        self.rope_deltas = torch.zeros_like(self.rope_deltas)
        return positions

    monkeypatch.setattr(type(model.model.model), "compute_3d_position_ids", forgetful)
    totals = model.score(QUESTION.turns, images, NAMES).totals
    assert model._agrees is False
    assert "scored by a full pass" in caplog.text
    np.testing.assert_allclose(totals, honest, atol=1e-4)


def test_a_prompt_that_is_too_long_is_an_error(qwen, images) -> None:
    model = LVLM("qwen", qwen)
    long = turns([Example("a", "why? " * 900, "owl")], "b", "What?", "Name it.")
    with pytest.raises(DataError, match=r"at most 2,048 tokens.*--shots"):
        model.score(long, images[:2], NAMES)


def test_names_with_an_image_token_are_an_error(qwen, images) -> None:
    model = LVLM("qwen", qwen)
    with pytest.raises(DataError, match="Building a prompt"):
        model.score(turns([], "a", "<|image_pad|>?", "Name it."), images[:1], NAMES)


def test_too_little_memory_suggests_fewer_shots(qwen, images, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    model = LVLM("qwen", qwen)
    monkeypatch.setattr(type(model.model), "forward", fail)
    with pytest.raises(DataError, match=r"fewer --shots"):
        model.score(QUESTION.turns, images, NAMES)


@pytest.fixture
def copied(qwen, tmp_path):
    return shutil.copytree(qwen, tmp_path / "copy")


def test_a_missing_chat_template_suggests_another_model(copied, images) -> None:
    (copied / "chat_template.jinja").unlink()
    with pytest.raises(DataError, match=r"chat template.*-Instruct"):
        LVLM("qwen", copied).score(QUESTION.turns, images, NAMES)


def test_a_model_that_is_not_an_lvlm(copied) -> None:
    config = json.loads((copied / "config.json").read_text()) | {"model_type": "bert"}
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="as a vision-language model"):
        _ = LVLM("bert", copied).model


def test_missing_weights_are_an_error(copied) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(copied / "model.safetensors")
    state.pop("model.language_model.norm.weight", None) or state.pop(sorted(state)[-1])
    save_file(state, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match="lacks 1 of its weights"):
        _ = LVLM("qwen", copied).model


def test_a_missing_package_is_named(copied, monkeypatch) -> None:
    import transformers

    def fail(*_: object, **__: object) -> None:
        raise ImportError("Package `num2words` is required")

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", fail)
    with pytest.raises(MissingError, match="num2words") as caught:
        _ = LVLM("qwen", copied).processor
    assert caught.value.exit_code == 4
