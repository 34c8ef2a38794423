"""Tiny vision-language models with random weights, in the layouts of published ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

CORPUS = [
    "Name what each image shows. Answer with the name alone.",
    "What is shown in this image? User: Assistant: Sea holly, red-winged blackbird, Owl, owl",
    "A. rose B. lily C. owl D. Sea holly Answer with the letter alone.",
]

QWEN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
IDEFICS_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].capitalize() }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
"""As the published ones are, but for what concerns videos and a default system turn."""

QWEN_TOKENS = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
QWEN_TOKENS += ["<|image_pad|>", "<|video_pad|>"]
IDEFICS_TOKENS = ["<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>"]
GRID_TOKENS = [f"<row_{row}_col_{col}>" for row in range(1, 4) for col in range(1, 4)]

TEXT: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
TEXT |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048}


def tokenizer(specials: list[str], *, sentencepiece: bool = False) -> Any:
    """Byte-pair encoding with merges across spaces: of bytes, or with SentencePiece's marks."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE(unk_token="<unk>" if sentencepiece else None))
    if sentencepiece:
        inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        inner.decoder = decoders.Metaspace(prepend_scheme="first")
        alphabet = [chr(code) for code in range(32, 127)]
    else:
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<pad>", "<s>", "</s>", "<unk>", *specials],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    inner.train_from_iterator(CORPUS, trainer)
    if sentencepiece:
        inner.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 1)]
        )
    bos: dict[str, Any] = {"bos_token": "<s>", "unk_token": "<unk>"} if sentencepiece else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", padding_side="left", **bos
    )


def _save(folder: Path, model: Any, processor: Any, template: str) -> Path:
    # Random models of this size hardly react to their input; spread their outputs.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
    processor.chat_template = template
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _qwen_parts() -> tuple[Any, Any, dict[str, int]]:
    from transformers import Qwen2VLImageProcessor, Qwen2VLProcessor, Qwen2VLVideoProcessor

    words = tokenizer(QWEN_TOKENS)
    sizes = {"patch_size": 8, "merge_size": 2, "size": {"shortest_edge": 256, "longest_edge": 4096}}
    processor = Qwen2VLProcessor(
        Qwen2VLImageProcessor(**sizes), words, Qwen2VLVideoProcessor(**sizes)
    )
    numbers = {
        f"{name}_token_id": words.convert_tokens_to_ids(token)
        for name, token in (
            ("image", "<|image_pad|>"),
            ("video", "<|video_pad|>"),
            ("vision_start", "<|vision_start|>"),
            ("vision_end", "<|vision_end|>"),
        )
    }
    return words, processor, numbers


def _qwen_text(words: Any) -> dict[str, Any]:
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    return TEXT | {"vocab_size": len(words), "rope_parameters": rope}


def qwen2_vl(folder: Path) -> Path:
    """Qwen2-VL: rotary positions in three dimensions, images of any size."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    torch.manual_seed(1)
    words, processor, numbers = _qwen_parts()
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2}
    vision |= {"patch_size": 8, "spatial_merge_size": 2}
    config = Qwen2VLConfig(text_config=_qwen_text(words), vision_config=vision, **numbers)
    return _save(folder, Qwen2VLForConditionalGeneration(config), processor, QWEN_TEMPLATE)


def qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL: window attention in the image tower."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
    )

    torch.manual_seed(2)
    words, parts, numbers = _qwen_parts()
    processor = Qwen2_5_VLProcessor(parts.image_processor, words, parts.video_processor)
    vision = {"depth": 2, "hidden_size": 32, "out_hidden_size": 32, "num_heads": 2}
    vision |= {"intermediate_size": 48, "patch_size": 8, "window_size": 32}
    vision |= {"fullatt_block_indexes": [1]}
    config = Qwen2_5_VLConfig(text_config=_qwen_text(words), vision_config=vision, **numbers)
    return _save(folder, Qwen2_5_VLForConditionalGeneration(config), processor, QWEN_TEMPLATE)


VISION: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
VISION |= {"num_attention_heads": 2, "image_size": 32, "patch_size": 8}


def idefics2(folder: Path) -> Path:
    """Idefics2: a perceiver's fixed number of tokens an image, Mistral's tokenizer and window."""
    from transformers import (
        Idefics2Config,
        Idefics2ForConditionalGeneration,
        Idefics2ImageProcessor,
        Idefics2Processor,
    )

    torch.manual_seed(3)
    words = tokenizer(IDEFICS_TOKENS[:3], sentencepiece=True)
    image = Idefics2ImageProcessor(
        do_image_splitting=False, size={"shortest_edge": 16, "longest_edge": 32}
    )
    processor = Idefics2Processor(image, words, image_seq_len=4)
    text = TEXT | {"model_type": "mistral", "vocab_size": len(words), "sliding_window": 40}
    perceiver = {"resampler_n_latents": 4, "resampler_depth": 1, "resampler_n_heads": 2}
    perceiver |= {"resampler_head_dim": 8, "num_key_value_heads": 1, "hidden_size": 32}
    config = Idefics2Config(
        text_config=text,
        vision_config=VISION,
        perceiver_config=perceiver,
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )
    return _save(folder, Idefics2ForConditionalGeneration(config), processor, IDEFICS_TEMPLATE)


def _tiles(kind: Any) -> Any:
    """An image processor that cuts an image into tiles of 32 pixels and adds the whole."""
    return kind(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})


def idefics3(folder: Path) -> Path:
    """Idefics3, which the first SmolVLM is too: tiles and the whole image."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
    )

    torch.manual_seed(4)
    words = tokenizer([*IDEFICS_TOKENS, *GRID_TOKENS])
    processor = Idefics3Processor(_tiles(Idefics3ImageProcessor), words, image_seq_len=4)
    config = Idefics3Config(
        text_config=TEXT | {"model_type": "llama", "vocab_size": len(words), "pad_token_id": 0},
        vision_config=VISION,
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )
    return _save(folder, Idefics3ForConditionalGeneration(config), processor, IDEFICS_TEMPLATE)


def smolvlm(folder: Path) -> Path:
    """SmolVLM 2: Idefics3's shape, with videos."""
    from transformers import (
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    torch.manual_seed(5)
    words = tokenizer([*IDEFICS_TOKENS, *GRID_TOKENS, "<video>"])
    processor = SmolVLMProcessor(
        _tiles(SmolVLMImageProcessor), words, _tiles(SmolVLMVideoProcessor), image_seq_len=4
    )
    config = SmolVLMConfig(
        text_config=TEXT | {"model_type": "llama", "vocab_size": len(words), "pad_token_id": 0},
        vision_config=VISION,
        image_token_id=words.convert_tokens_to_ids("<image>"),
    )
    return _save(folder, SmolVLMForConditionalGeneration(config), processor, IDEFICS_TEMPLATE)


EVERY: dict[str, Callable[[Path], Path]] = {
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen2_5_vl,
    "idefics2": idefics2,
    "idefics3": idefics3,
    "smolvlm": smolvlm,
}
