import io

import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.data.images import decoding
from clipfg.encoders.open_clip import encoder as open_clip
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.encoders.transformers import image_processors
from clipfg.errors import DataError

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def grey_levels(values: torch.Tensor, mean=MEAN, std=STD) -> torch.Tensor:
    """Back from what a tower reads to 0..255."""
    return (values * torch.tensor(std).view(3, 1, 1) + torch.tensor(mean).view(3, 1, 1)) * 255


@pytest.mark.parametrize("size", [32, 225, (48, 32), (31, 64)])
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_open_clips_transform_is_reproduced_exactly(odd_images, size, mode, interpolation) -> None:
    from tests.checkpoints import open_clip_library

    given = {"mean": MEAN, "std": STD, "resize_mode": mode, "interpolation": interpolation}
    ours = open_clip.preprocessing_of({"image_size": size}, given | {"fill_color": 127})
    theirs = open_clip_library().transform.image_transform(
        size, is_train=False, **given, fill_color=127
    )
    for image in odd_images:
        pixels = ours(image)
        assert pixels.dtype == torch.uint8
        reference = theirs(image)
        assert torch.equal(pixels, grey_levels(reference).round().to(torch.uint8)), image.size
        torch.testing.assert_close(ours.normalise(pixels[None])[0], reference, atol=1e-5, rtol=0)


SETTINGS = {
    "clip": {"image_processor_type": "CLIPImageProcessor"},
    "clip, old": {"feature_extractor_type": "CLIPFeatureExtractor", "size": 40, "crop_size": 37},
    "clip, odd": {
        "image_processor_type": "CLIPImageProcessorFast",
        "size": {"shortest_edge": 45},
        "crop_size": {"height": 32, "width": 30},
        "resample": 2,
        "image_mean": list(MEAN),
        "image_std": list(STD),
    },
    "crop larger than the image": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": 32},
        "crop_size": {"height": 37, "width": 40},
    },
    "siglip": {"image_processor_type": "SiglipImageProcessor", "size": {"height": 48, "width": 64}},
    "vit": {"image_processor_type": "ViTImageProcessor", "size": 50},
    "another factor": {"image_processor_type": "ViTImageProcessor", "rescale_factor": 1 / 127.5},
    "no statistics": {"image_processor_type": "ViTImageProcessor", "do_normalize": False},
}


def their_processor(settings: dict, *, pil: bool):
    import transformers
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    known = {key: value for key, value in settings.items() if not key.endswith("_type")}
    kind = str(settings.get("image_processor_type", "CLIP"))
    if kind.startswith("Siglip"):
        return (SiglipImageProcessorPil if pil else transformers.SiglipImageProcessor)(**known)
    if kind.startswith("ViT"):
        return (ViTImageProcessorPil if pil else transformers.ViTImageProcessor)(**known)
    return (CLIPImageProcessorPil if pil else transformers.CLIPImageProcessor)(**known)


# The two processors disagree on where the odd pixel of a margin goes; ours is the default's place.
PILLOW = {name: settings for name, settings in SETTINGS.items() if "larger" not in name}


@pytest.mark.parametrize("settings", PILLOW.values(), ids=PILLOW.keys())
def test_transformers_pillow_processor_is_reproduced_exactly(odd_images, settings) -> None:
    ours, theirs = image_processors.preprocessing_of(settings), their_processor(settings, pil=True)
    for image in odd_images:
        reference = torch.from_numpy(np.array(theirs(image)["pixel_values"][0]))
        normal = ours.normalise(ours(image)[None])[0]
        torch.testing.assert_close(
            normal, reference.float(), atol=2e-5, rtol=0, msg=str(image.size)
        )


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_transformers_default_processor_is_reproduced_within_two_grey_levels(
    odd_images, settings
) -> None:
    # It resizes with torchvision's fixed-point kernels, which round otherwise than Pillow's.
    ours, theirs = image_processors.preprocessing_of(settings), their_processor(settings, pil=False)
    for image in odd_images:
        reference = theirs(image, return_tensors="pt")["pixel_values"][0]
        difference = ours.normalise(ours(image)[None])[0] - reference
        levels = difference.abs() * torch.tensor(ours.std).view(3, 1, 1) * 255
        assert levels.max() <= 2.01, image.size
        assert levels.mean() < 0.2, image.size


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"do_resize": False}, "no do_resize"),
        ({"do_rescale": False}, "no do_rescale"),
        ({"rescale_offset": True}, "an offset"),
        ({"do_center_crop": False}, "without a crop"),
        ({"size": {"longest_edge": 200}}, "'height'"),
        ({"size": {"shortest_edge": 200, "longest_edge": 300}}, "'height'"),
        ({"size": {"height": 50, "width": 50}}, "a crop"),
        ({"resample": "cubic"}, "'cubic'"),
        ({"image_mean": "bright"}, "unusable"),
    ],
)
def test_processors_without_a_fixed_size_are_refused(changes, words) -> None:
    with pytest.raises(DataError, match=words):
        image_processors.preprocessing_of(SETTINGS["clip"] | changes)


def test_an_unknown_processor_with_full_settings_is_read() -> None:
    settings = {"size": {"height": 8, "width": 8}, "image_mean": 0.5, "image_std": 0.25}
    read = image_processors.preprocessing_of(settings)
    assert (read.mean, read.std, read.resize) == ((0.5,) * 3, (0.25,) * 3, "squash")
    with pytest.raises(DataError, match="'size'"):
        image_processors.preprocessing_of({"image_mean": 0.5})


@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
def test_the_result_has_the_promised_size(odd_images, resize) -> None:
    preprocessing = Preprocessing((20, 31), resize)
    for image in odd_images:
        assert preprocessing(image).shape == (3, 20, 31)


WHITE = {  # the size of an image, and a box in it
    "landscape": ((300, 200), (100, 60, 200, 140)),
    "portrait": ((90, 240), (20, 100, 70, 150)),
    "small": ((17, 11), (4, 2, 12, 9)),
    "to the edge": ((200, 200), (0, 0, 120, 200)),
}


def lit_box(pixels: torch.Tensor) -> torch.Tensor:
    """The box around the bright pixels."""
    lit = pixels[0] > 127
    across, down = lit.any(0).nonzero().flatten(), lit.any(1).nonzero().flatten()
    return torch.tensor([across[0], down[0], across[-1] + 1, down[-1] + 1]).float()


@pytest.mark.parametrize(("size", "box"), WHITE.values(), ids=WHITE.keys())
@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing((64, 64)),
        Preprocessing((60, 60), shortest=64, crop_rounding="down"),
        Preprocessing((48, 64), "squash"),
        Preprocessing((48, 64), "pad"),
        Preprocessing((70, 64), shortest=50),
    ],
    ids=["crop", "crop within", "squash", "pad", "crop beyond"],
)
def test_a_box_is_found_where_its_pixels_went(size, box, preprocessing) -> None:
    image = Image.new("RGB", size)
    image.paste((255, 255, 255), box)
    mapped = preprocessing.map_boxes(torch.tensor([box]).float(), *size)[0]
    torch.testing.assert_close(mapped, lit_box(preprocessing(image)), atol=1.0, rtol=0)


@pytest.mark.parametrize("kind", ["reduced", "cut"])
def test_a_box_is_found_in_an_image_that_was_not_decoded_whole(kind, monkeypatch) -> None:
    monkeypatch.setattr(decoding, "LARGEST_STRIP", 1 << 12)
    size, box = {
        "reduced": ((1600, 1200), (700, 300, 1100, 900)),
        "cut": ((4000, 40), (1985, 10, 2005, 30)),
    }[kind]
    image = Image.new("RGB", size)
    image.paste((255, 255, 255), box)
    sink = io.BytesIO()
    image.save(sink, "JPEG")
    preprocessing = Preprocessing((64, 64))
    decoded = decoding.decode(sink.getvalue(), preprocessing.target)
    assert decoded.size != size == decoding.full_size(decoded)
    mapped = preprocessing.map_boxes(torch.tensor([box]).float(), *size)[0]
    torch.testing.assert_close(mapped, lit_box(preprocessing(decoded)), atol=1.5, rtol=0)


def test_a_box_that_the_crop_leaves_out_is_empty() -> None:
    boxes = torch.tensor([[0.0, 0, 50, 100], [0, 0, 400, 100], [-50, 20, 200, 120]])
    mapped = Preprocessing((50, 50)).map_boxes(boxes, 400, 100)
    assert mapped[0, 0] == mapped[0, 2]
    assert mapped[1].tolist() == [0, 0, 50, 50]
    assert mapped[2].tolist() == [0, 10, 25, 50]


def test_normalisation_by_hand() -> None:
    preprocessing = Preprocessing((1, 1), mean=(0.5, 0.0, 1.0), std=(0.5, 1.0, 0.1))
    pixels = preprocessing(Image.new("RGB", (9, 4), (255, 51, 0)))
    normal = preprocessing.normalise(pixels[None])
    assert normal.flatten().tolist() == pytest.approx([1.0, 0.2, -10.0], abs=1e-5)
