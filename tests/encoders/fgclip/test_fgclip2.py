"""FG-CLIP 2 against its description written out in NumPy."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.encoders import load_encoder
from clipfg.errors import DataError
from tests.encoders.fgclip import reference

TEXTS = ["A Red bird", "yellow flower " * 60, "a"]


@pytest.fixture(scope="module")
def encoder(folders):
    return load_encoder(f"fgclip:{folders['fgclip-2']}", precision="fp32", device="cpu")


@pytest.fixture(scope="module")
def weights(folders):
    return reference.weights_of(folders["fgclip-2"])


def close(ours: torch.Tensor, expected: np.ndarray) -> None:
    torch.testing.assert_close(ours.double(), torch.from_numpy(expected), atol=1e-5, rtol=1e-5)


def sizes(width: int, height: int) -> tuple[int, int]:
    """Width and height after the resize, by trying scales one after the other, ever finer."""
    n = (width // 16) * (height // 16)
    budget = 1024 if n > 784 else 784 if n > 576 else 576 if n > 256 else 256 if n > 128 else 128
    scale, step = 0.0, 10.0
    while step > 1e-6:
        columns, rows = (math.ceil((scale + step) * side / 16) for side in (width, height))
        if columns * rows <= budget and scale + step <= 100:
            scale += step
        else:
            step /= 2
    return math.ceil(scale * width / 16) * 16, math.ceil(scale * height / 16) * 16


def test_images_and_dense_maps_of_any_shape(encoder, weights, odd_images) -> None:
    expected, raw = [], []
    for image in odd_images:
        small = image.resize(sizes(*image.size), Image.Resampling.BILINEAR)
        raw.append(np.asarray(small).transpose(2, 0, 1))
        expected.append(reference.image2(weights, (raw[-1] / 255 - 0.5) / 0.5, heads=2))
    pixels = [encoder.preprocessing(image) for image in odd_images]
    for ours, theirs in zip(pixels, raw, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)
    assert len({tuple(each.shape) for each in pixels}) > 5
    features = encoder.encode_images(pixels, patches=True)
    close(features.pooled, np.stack([pooled for pooled, _ in expected]))
    for ours, (_, dense) in zip(features.patches, expected, strict=True):
        close(ours, dense.reshape(len(ours), -1))


def test_the_model_takes_patches(encoder, weights, odd_images) -> None:
    pixels = [encoder.preprocessing(image) for image in odd_images[:3]]
    for places, batch in encoder.preprocessing.passes(pixels, torch.device("cpu")):
        given = (batch.patches, batch.mask, batch.shapes)
        pooled, maps = encoder.model.image_features(*given), encoder.model.dense_features(*given)
        for row, place in enumerate(places):
            inputs = (pixels[place].numpy() / 255 - 0.5) / 0.5
            expected, dense = reference.image2(weights, inputs, heads=2)
            close(pooled[row], expected)
            close(maps[row], dense)


@pytest.mark.parametrize(("path", "length"), [("short", 64), ("long", 196), ("box", 64)])
def test_texts(encoder, weights, path, length) -> None:
    ids = torch.randint(0, 32, (3, length), generator=torch.Generator().manual_seed(length))
    ids[1, 9:] = 0
    rows = [reference.text2(weights, row, path, heads=2) for row in ids.tolist()]
    close(encoder.model.text_features(ids, path), np.stack(rows))


@pytest.mark.parametrize(("path", "length"), [("short", 64), ("long", 196), ("box", 64)])
def test_texts_are_lower_cased_padded_and_cut(encoder, weights, path, length) -> None:
    words = [encoder.tokenizer(text.lower())["input_ids"] for text in TEXTS]
    assert len(words[1]) > 196
    ids = [(row + [0] * length)[:length] for row in words]
    expected = [reference.text2(weights, row, path, heads=2) for row in ids]
    close(encoder.encode_texts(TEXTS, path=path), np.stack(expected))


def test_long_texts_have_exactly_their_length(encoder) -> None:
    with pytest.raises(DataError, match="padded to 196"):
        encoder.model.text_features(torch.zeros(1, 64, dtype=torch.long), "long")
    with pytest.raises(DataError, match="at most 64"):
        encoder.model.text_features(torch.zeros(1, 65, dtype=torch.long), "box")


def test_regions_on_maps_of_different_shapes(encoder, weights, odd_images) -> None:
    pictures = [odd_images[1], odd_images[2], odd_images[6]]
    boxes = [
        torch.tensor([[33.3, 100.0, 300.0, 420.0], [0.0, 0.0, 333.0, 500.0]]),
        torch.empty(0, 4),
        torch.tensor([[10.0, 2.5, 290.0, 7.5], [5.0, 5.0, 5.0, 9.0]]),
    ]
    pixels = [encoder.preprocessing(image) for image in pictures]
    mapped = [
        encoder.preprocessing.map_boxes(part, *image.size)
        for image, part in zip(pictures, boxes, strict=True)
    ]
    found = encoder.encode_regions(pixels, mapped)
    for image, own, part, rows in zip(pictures, pixels, boxes, found, strict=True):
        _, dense = reference.image2(weights, (own.numpy() / 255 - 0.5) / 0.5, heads=2)
        height, width = dense.shape[:2]
        for box, row in zip(part.double(), rows, strict=True):
            if box[0] == box[2]:
                assert not row.any()
                continue
            cells = box / torch.tensor(image.size * 2) * torch.tensor([width, height] * 2)
            close(row, reference.region(dense, cells.tolist()))


def test_logits(encoder, weights) -> None:
    images, texts = torch.randn(3, 24), torch.randn(4, 24)
    expected = reference.logits(weights, images.numpy(), texts.numpy())
    close(encoder.model.logits(images, texts), expected)
    assert encoder.scoring == "sigmoid"
    assert encoder.logit_bias == pytest.approx(-7.5)


@pytest.mark.parametrize("count", [1, 2, 8, 40])
def test_bits_do_not_depend_on_the_other_images(encoder, odd_images, count) -> None:
    """With as many images given, whatever they are."""
    pixels = [encoder.preprocessing(image) for image in odd_images]
    first = pixels[0]
    others = [pixels[1:3] * count, pixels[4:7] * count, [first] * count]
    rows = [encoder.encode_images([first, *own[: count - 1]]).pooled[0] for own in others]
    assert torch.equal(rows[0], rows[1])
    assert torch.equal(rows[0], rows[2])
    torch.testing.assert_close(rows[0], encoder.encode_images([first]).pooled[0])
