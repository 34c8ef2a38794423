"""Tiny checkpoints with random weights, in the layouts that encoders are published in."""

import gzip
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

WORDS = (  # noqa: SIM905 - reads as the texts do
    "a photo of the red blue green yellow bird flower with round pointed petals leaf wing tail"
    " small large A Bird , . !"
).split()

VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
VISION |= {"num_attention_heads": 2, "image_size": 32, "patch_size": 8}
TEXT = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2}
TEXT |= {"num_attention_heads": 2, "max_position_embeddings": 16, "vocab_size": 64}


def bpe_file(path: Path) -> Path:
    """A vocabulary of open_clip's byte-pair encoding with a handful of merges."""
    merges = ["b i", "bi r", "bir d</w>", "r e", "re d</w>", "f l", "fl o"]
    # No time stamp inside: equal content makes equal files.
    path.write_bytes(gzip.compress("\n".join(["#version: 0.2", *merges]).encode(), mtime=0))
    return path


def open_clip_config(**changes: Any) -> dict[str, Any]:
    config: dict[str, Any] = {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32,
            "layers": 2,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 512 + 7 + 2,
            "width": 32,
            "heads": 2,
            "layers": 2,
            "tokenizer_kwargs": {"bpe_path": "bpe.txt.gz"},
        },
    }
    return config | changes


def open_clip_library() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        import open_clip

        return open_clip


def save_open_clip(
    folder: Path, config: dict[str, Any], preprocess: dict[str, Any] | None = None, seed: int = 0
) -> Path:
    """A folder in open_clip's own layout; the config's text tower, if from a folder, is there."""
    library = open_clip_library()
    torch.manual_seed(seed)
    settled = json.loads(json.dumps(config))
    custom = settled.pop("custom_text", False)
    if settled["text_cfg"].get("hf_model_name"):
        settled["text_cfg"] |= {"hf_model_name": str(folder), "hf_model_pretrained": False}
        custom = True
    model = (library.CustomTextCLIP if custom else library.CLIP)(**settled)
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    written = {"model_cfg": config, "preprocess_cfg": preprocess or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(written))
    return folder


def open_clip_vit(folder: Path) -> Path:
    """CLIP's own shape: a ViT, a causal text transformer, byte-pair encoding."""
    folder.mkdir(parents=True, exist_ok=True)
    bpe_file(folder / "bpe.txt.gz")
    return save_open_clip(folder, open_clip_config())


def open_clip_siglip(folder: Path) -> Path:
    """SigLIP's rules in open_clip: a timm tower, a logit bias, canonical texts, last-token pool."""
    folder.mkdir(parents=True, exist_ok=True)
    t5_tokenizer().save_pretrained(folder)
    config = open_clip_config(custom_text=True, init_logit_bias=-10.0, embed_dim=192)
    config["vision_cfg"] = {
        "image_size": 224,
        "timm_model_name": "vit_tiny_patch16_224",
        "timm_pool": "avg",
        "timm_proj": "none",
    }
    config["text_cfg"] = {
        "context_length": 16,
        "vocab_size": 64,
        "hf_tokenizer_name": "someone/else",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        "width": 32,
        "heads": 2,
        "layers": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
    }
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"}
    return save_open_clip(folder, config, preprocess)


def open_clip_text_tower(folder: Path) -> Path:
    """A Hugging Face text tower whose configuration and tokenizer lie in the folder itself."""
    from transformers import BertConfig

    folder.mkdir(parents=True, exist_ok=True)
    word_tokenizer(pad_id=0).save_pretrained(folder)
    BertConfig(**TEXT, pad_token_id=0).save_pretrained(folder)
    config = open_clip_config()
    config["text_cfg"] = {
        "context_length": 16,
        "hf_model_name": "someone/else",
        "hf_tokenizer_name": "someone/else",
        "hf_proj_type": "linear",
        "hf_pooler_type": "mean_pooler",
    }
    return save_open_clip(folder, config, {"resize_mode": "longest", "fill_color": 127})


def word_tokenizer(
    *,
    bos: bool = True,
    names: list[str] | None = None,
    pad_id: int = 1,
    length: int = 16,
    end: int | None = None,
) -> Any:
    """A tokenizer of whole words, case kept, with `</s>` at the end, whose number may be given."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    specials = ["<pad>", "<s>"] if pad_id == 0 else ["<s>", "<pad>"]
    vocabulary = [*specials, "<unk>", *WORDS, "</s>"]
    numbers = {word: number for number, word in enumerate(vocabulary)}
    numbers["</s>"] = numbers["</s>"] if end is None else end
    inner = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>" if bos else "$A </s>",
        special_tokens=[("<s>", numbers["<s>"]), ("</s>", numbers["</s>"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=length,
        model_input_names=names or ["input_ids", "attention_mask"],
    )


EOS = len(WORDS) + 3
"""The number of `</s>`: the highest, as CLIP's is."""


def _save(folder: Path, model: Any, tokenizer: Any, processor: Any) -> Path:
    # Random towers of this size agree on everything; spread the features.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3)
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder)
    return folder


def clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    torch.manual_seed(1)
    tokens = {"bos_token_id": 0, "eos_token_id": EOS, "pad_token_id": 1}
    config = CLIPConfig(text_config=TEXT | tokens, vision_config=VISION, projection_dim=16)
    processor = CLIPImageProcessor(size={"shortest_edge": 36}, crop_size=32)
    return _save(folder, CLIPModel(config), word_tokenizer(), processor)


def metaclip_2(folder: Path) -> Path:
    from transformers import CLIPImageProcessor, MetaClip2Config, MetaClip2Model

    torch.manual_seed(2)
    tokens = {"bos_token_id": 0, "eos_token_id": EOS, "pad_token_id": 1}
    config = MetaClip2Config(text_config=TEXT | tokens, vision_config=VISION, projection_dim=16)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    return _save(folder, MetaClip2Model(config), word_tokenizer(), processor)


def siglip(folder: Path, size: int = 32) -> Path:
    """SigLIP, and SigLIP 2 of a fixed resolution: no mask, padding to the end."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(3)
    width = {"hidden_size": 32, "projection_size": 32}
    config = SiglipConfig(text_config=TEXT | width, vision_config=VISION)
    model = SiglipModel(config)
    model.logit_scale.data.fill_(4.7)
    model.logit_bias.data.fill_(-12.5)
    processor = SiglipImageProcessor(size={"height": size, "width": size})
    return _save(folder, model, word_tokenizer(bos=False, names=["input_ids"]), processor)


def siglip2_naflex(folder: Path) -> Path:
    from transformers import Siglip2Config, Siglip2ImageProcessor, Siglip2Model

    torch.manual_seed(4)
    vision = {key: value for key, value in VISION.items() if key != "image_size"}
    text = TEXT | {"hidden_size": 32, "projection_size": 32}
    model = Siglip2Model(Siglip2Config(text_config=text, vision_config=vision | {"num_patches": 9}))
    model.logit_scale.data.fill_(4.0)
    model.logit_bias.data.fill_(-9.0)
    processor = Siglip2ImageProcessor(patch_size=8, max_num_patches=17)
    return _save(folder, model, letter_tokenizer(), processor)


def t5_tokenizer() -> Any:
    """The class that open_clip's SigLIP checkpoints name, padding with the end of the text."""
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(f"▁{word.lower()}", -1.0) for word in WORDS[:19]] + [("s", -2.0)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, pad_token="</s>", model_max_length=64)


def letter_tokenizer() -> Any:
    """SigLIP 2's own tokenizer class with a vocabulary of letters."""
    from transformers import Siglip2Tokenizer

    letters = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *map(chr, range(97, 123))]
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    return Siglip2Tokenizer(vocab=vocabulary, merges=[], model_input_names=["input_ids"])


def dual_encoder(folder: Path, *, convolutional: bool = False) -> Path:
    """Any two towers: here a ViT, or a MobileNetV2, and a BERT with token types."""
    from transformers import (
        BertConfig,
        BertModel,
        MobileNetV2Config,
        MobileNetV2Model,
        VisionTextDualEncoderModel,
        ViTConfig,
        ViTImageProcessor,
        ViTModel,
    )

    torch.manual_seed(5)
    mobile = MobileNetV2Config(image_size=32, depth_multiplier=0.25, hidden_size=1280)
    model = VisionTextDualEncoderModel(
        vision_model=MobileNetV2Model(mobile) if convolutional else ViTModel(ViTConfig(**VISION)),
        text_model=BertModel(BertConfig(**TEXT)),
    )
    names = ["input_ids", "token_type_ids", "attention_mask"]
    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    return _save(folder, model, word_tokenizer(pad_id=0, names=names, length=12), processor)


def chinese_clip(folder: Path) -> Path:
    from transformers import ChineseCLIPConfig, ChineseCLIPImageProcessor, ChineseCLIPModel

    torch.manual_seed(6)
    config = ChineseCLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=16)
    processor = ChineseCLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    names = ["input_ids", "token_type_ids", "attention_mask"]
    tokenizer = word_tokenizer(pad_id=0, names=names)
    return _save(folder, ChineseCLIPModel(config), tokenizer, processor)


def altclip(folder: Path) -> Path:
    """Chinese-English CLIP over XLM-R, whose positions begin after the padding's."""
    from transformers import AltCLIPConfig, AltCLIPModel, CLIPImageProcessor

    torch.manual_seed(7)
    text = TEXT | {"max_position_embeddings": 18, "project_dim": 16, "pad_token_id": 1}
    vision = VISION | {"projection_dim": 16}
    config = AltCLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    return _save(folder, AltCLIPModel(config), word_tokenizer(), processor)


FGCLIP_TEXT = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3}
FGCLIP_TEXT |= {"num_attention_heads": 2}


def save_fgclip(folder: Path, version: int, seed: int, config: dict[str, Any]) -> Path:
    """Random weights under the published names: every table and head differs, odd widths."""
    from clipfg.encoders.fgclip.encoder import MODELS
    from clipfg.encoders.fgclip.loading import empty_model

    kind = MODELS[version]  # type: ignore[index]
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, parameter in empty_model(kind, config, kind.LENGTHS).named_parameters():
        spread = 1.0 if "embedding" in name else max(1, parameter.shape[-1:].numel()) ** -0.5
        values = torch.randn(parameter.shape, generator=generator) * spread
        state[name] = 1 + 0.3 * values if "norm" in name and "weight" in name else values
    for name, value in (("logit_scale", 3.7), ("logit_bias", -7.5)):
        if name in state:
            state[name].fill_(value)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def fgclip1(folder: Path) -> Path:
    """FG-CLIP 1 as it is published: its configuration names code, its end token is CLIP's."""
    vision = VISION | {"hidden_size": 36, "num_attention_heads": 3, "num_hidden_layers": 3}
    config = {
        "architectures": ["FGCLIPModel"],
        "auto_map": {"AutoModelForCausalLM": "modeling_fgclip.FGCLIPModel"},
        "model_type": "clip",
        "projection_dim": 20,
        "text_config": FGCLIP_TEXT | {"vocab_size": 49408, "eos_token_id": 2},
        "vision_config": vision | {"image_size": 40},
    }
    save_fgclip(folder, 1, 11, config)
    processor = {"image_processor_type": "CLIPImageProcessor", "crop_size": 40, "resample": 3}
    processor |= {"do_center_crop": True, "size": {"shortest_edge": 40}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    word_tokenizer(end=49407, length=77).save_pretrained(folder)
    return folder


def fgclip2(folder: Path) -> Path:
    """FG-CLIP 2 as it is published."""
    vision = {"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3}
    vision |= {"num_attention_heads": 2, "num_patches": 25, "patch_size": 16}
    config = {
        "architectures": ["Fgclip2Model"],
        "auto_map": {"AutoModelForCausalLM": "modeling_fgclip2.Fgclip2Model"},
        "model_type": "fgclip2",
        "text_config": FGCLIP_TEXT | {"vocab_size": 64, "keep_len": 20, "longtext_len": 196},
        "vision_config": vision,
    }
    save_fgclip(folder, 2, 12, config)
    processor = {"image_processor_type": "Siglip2ImageProcessor", "max_num_patches": 256}
    processor |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2, "patch_size": 16}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    letter_tokenizer().save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"padding_side": "right"}))
    return folder


OPEN_CLIP: dict[str, Callable[[Path], Path]] = {
    "open-clip-vit": open_clip_vit,
    "open-clip-siglip": open_clip_siglip,
    "open-clip-text-tower": open_clip_text_tower,
}
TRANSFORMERS: dict[str, Callable[[Path], Path]] = {
    "clip": clip,
    "metaclip-2": metaclip_2,
    "siglip": siglip,
    "siglip2-naflex": siglip2_naflex,
    "dual-encoder": dual_encoder,
    "chinese-clip": chinese_clip,
    "altclip": altclip,
}
FGCLIP: dict[str, Callable[[Path], Path]] = {"fgclip-1": fgclip1, "fgclip-2": fgclip2}
EVERY = OPEN_CLIP | TRANSFORMERS | FGCLIP
