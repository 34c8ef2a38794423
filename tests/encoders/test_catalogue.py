import pytest
import torch

from clipfg.encoders.catalogue import CATALOGUE, DATASETS, DEFAULT_MODEL, FGOVD
from clipfg.encoders.fgclip.encoder import MODELS
from clipfg.encoders.fgclip.loading import empty_model
from clipfg.encoders.open_clip.files import pretrained_tables
from tests import checkpoints

OPEN_CLIP = [entry for entry in CATALOGUE if entry.name.startswith("open_clip:")]
FGCLIP = [entry for entry in CATALOGUE if entry.name.startswith("fgclip:")]


@pytest.mark.parametrize("entry", OPEN_CLIP, ids=lambda entry: entry.name)
def test_entries_agree_with_open_clip(entry) -> None:
    library = checkpoints.open_clip_library()
    architecture, _, tag = entry.name.removeprefix("open_clip:").rpartition("/")
    assert pretrained_tables().get_pretrained_cfg(architecture, tag)["hf_hub"]
    config = library.get_model_config(architecture)
    assert (config["embed_dim"], config["vision_cfg"]["image_size"]) == (
        entry.dim,
        entry.image_size,
    )
    kind = library.CustomTextCLIP if config.pop("custom_text", False) else library.CLIP
    with torch.device("meta"):
        model = kind(**config)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert entry.parameters == pytest.approx(millions, abs=0.006)


def test_entries_are_unique_and_complete() -> None:
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE) == 17
    assert len(OPEN_CLIP) + len(FGCLIP) == 17
    for entry in CATALOGUE:
        assert len(entry.accuracy) == len(DATASETS)
        assert len(entry.fgovd) == len(FGOVD)
        figures = (*entry.accuracy, *entry.fgovd)
        assert all(value is None or 0 < value < 100 for value in figures)


SIZES = {  # width, MLP, blocks and heads of the vision tower, then of the text tower
    "fg-clip-base": ((768, 3072, 12, 12), (512, 2048, 12, 8)),
    "fg-clip-large": ((1024, 4096, 24, 16), (768, 3072, 12, 12)),
    "fg-clip2-base": ((768, 3072, 12, 12),) * 2,
    "fg-clip2-large": ((1024, 4096, 24, 16),) * 2,
    "fg-clip2-so400m": ((1152, 4304, 27, 16),) * 2,
}


@pytest.mark.parametrize("entry", FGCLIP, ids=lambda entry: entry.name)
def test_entries_agree_with_the_published_sizes(entry) -> None:
    name = entry.name.rpartition("/")[2]
    keys = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    vision, text = (dict(zip(keys, each, strict=True)) for each in SIZES[name])
    version = 2 if "clip2" in name else 1
    if version == 1:
        vision |= {"image_size": entry.image_size, "patch_size": 14 if "large" in name else 16}
    else:
        text |= {"vocab_size": 256_000}
    config = {"vision_config": vision, "text_config": text, "projection_dim": entry.dim}
    kind = MODELS[version]  # type: ignore[index]
    model = empty_model(kind, config, kind.LENGTHS)
    millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert entry.parameters == pytest.approx(millions, abs=0.006)


def test_the_default_is_the_most_accurate_at_its_cost() -> None:
    default = next(entry for entry in CATALOGUE if entry.name == DEFAULT_MODEL)
    assert default.licence == "Apache-2.0"
    same_cost = [e for e in CATALOGUE if "ViT-B-16" in e.name and e.image_size == 224]
    means = {e.name: sum(e.accuracy) for e in same_cost if None not in e.accuracy}
    assert len(means) > 3
    assert max(means, key=means.__getitem__) == DEFAULT_MODEL
