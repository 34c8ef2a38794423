import pytest
import torch

from clipfg.encoders.catalogue import CATALOGUE, DATASETS, DEFAULT_MODEL
from clipfg.encoders.open_clip.files import pretrained_tables
from tests import checkpoints


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
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
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE) == 12
    for entry in CATALOGUE:
        assert len(entry.accuracy) == len(DATASETS)
        assert all(value is None or 0 < value < 100 for value in entry.accuracy)


def test_the_default_is_the_most_accurate_at_its_cost() -> None:
    default = next(entry for entry in CATALOGUE if entry.name == DEFAULT_MODEL)
    assert default.licence == "Apache-2.0"
    same_cost = [e for e in CATALOGUE if "ViT-B-16" in e.name and e.image_size == 224]
    means = {e.name: sum(e.accuracy) for e in same_cost if None not in e.accuracy}
    assert len(means) > 3
    assert max(means, key=means.__getitem__) == DEFAULT_MODEL
