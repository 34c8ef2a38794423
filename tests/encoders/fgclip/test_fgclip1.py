"""FG-CLIP 1 against its description written out in NumPy, and its properties."""

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from clipfg.encoders import load_encoder
from clipfg.errors import DataError
from clipfg.functional.positions import stretch_positions
from tests.encoders.fgclip import reference

TEXTS = ["a photo of a red bird", "yellow flower with round petals . " * 60, "a"]
MEAN = np.array([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = np.array([0.26862954, 0.26130258, 0.27577711])[:, None, None]
BOXES = torch.tensor([[0.0, 0.0, 5.0, 5.0], [1.2, 0.3, 2.9, 4.4], [3.7, 4.0, 3.9, 4.9]])


@pytest.fixture(scope="module")
def encoder(folders):
    return load_encoder(f"fgclip:{folders['fgclip-1']}", precision="fp32", device="cpu")


@pytest.fixture(scope="module")
def weights(folders):
    return reference.weights_of(folders["fgclip-1"])


def close(ours: torch.Tensor, expected: np.ndarray) -> None:
    torch.testing.assert_close(ours.double(), torch.from_numpy(expected), atol=1e-5, rtol=1e-5)


def squares(images: list[Image.Image]) -> np.ndarray:
    """A plain square resize, whatever the shape."""
    resized = [image.resize((40, 40), Image.Resampling.BICUBIC) for image in images]
    return np.stack([np.asarray(image).transpose(2, 0, 1) for image in resized])


def padded(words: list[int], length: int) -> list[int]:
    return (words + [49407] * length)[:length]


IDS = {
    length: [padded([0, 5, 9, 1, 7], length), padded(list(range(3, 60)), length), [49407] * length]
    for length in (77, 248)
}


def test_images_and_dense_maps(encoder, weights, odd_images) -> None:
    raw = squares(odd_images)
    expected = [reference.image1(weights, (own / 255 - MEAN) / STD, heads=3) for own in raw]
    pixels = torch.stack([encoder.preprocessing(image) for image in odd_images])
    np.testing.assert_array_equal(pixels.numpy(), raw)
    features = encoder.encode_images(pixels, patches=True)
    close(features.pooled, np.stack([pooled for pooled, _ in expected]))
    close(features.patches, np.stack([dense.reshape(25, -1) for _, dense in expected]))
    inputs = encoder.preprocessing.normalise(pixels)
    model = encoder.model
    close(model.image_features(inputs), np.stack([pooled for pooled, _ in expected]))
    close(model.dense_features(inputs), np.stack([dense for _, dense in expected]))


@pytest.mark.parametrize("path", ["short", "long", "box"])
def test_texts(encoder, weights, path) -> None:
    ids = IDS[248 if path == "long" else 77]
    expected = np.stack([reference.text1(weights, row, path, heads=2) for row in ids])
    close(encoder.model.text_features(torch.tensor(ids), path), expected)


@pytest.mark.parametrize("path", ["short", "long", "box"])
def test_texts_are_padded_with_the_end_token_and_cut(encoder, weights, path) -> None:
    length = 248 if path == "long" else 77
    words = [encoder.tokenizer(text)["input_ids"][:-1] for text in TEXTS]
    ids = [padded(row[: length - 1], length) for row in words]
    expected = np.stack([reference.text1(weights, row, path, heads=2) for row in ids])
    close(encoder.encode_texts(TEXTS, path=path), expected)
    assert encoder.count_tokens(TEXTS) == [len(row) + 1 for row in words]


def test_regions_in_cells_and_in_pixels(encoder, weights) -> None:
    maps = torch.randn(2, 5, 5, 20, generator=torch.Generator().manual_seed(1))
    none = torch.empty(0, 4)
    expected = np.stack([reference.region(maps[0].numpy(), box) for box in BOXES.tolist()])
    first, second = encoder.model.region_features(maps, [BOXES, none])
    close(first, expected)
    assert second.shape == (0, 20)
    scale = torch.tensor([60.0, 33.0] * 2)  # a picture of 300 x 165 pixels
    (same,) = encoder.model.region_features(maps[:1], [BOXES * scale], sizes=[(300, 165)])
    close(same, expected)
    (one,) = encoder.model.region_features(maps[:1], [BOXES[1:2]])
    close(one, expected[1:2])


@pytest.mark.parametrize("box", [[1, 1, 1, 3], [2, 3, 4, 3], [3, 1, 1, 3], [float("nan"), 0, 1, 1]])
def test_a_box_without_an_area_is_refused(encoder, box) -> None:
    with pytest.raises(DataError, match="x0 < x1"):
        encoder.model.region_features(torch.zeros(1, 5, 5, 20), [torch.tensor([box]).float()])


def test_the_right_box_is_found_and_a_mirrored_one_is_not(encoder) -> None:
    """A map that carries a phrase's feature in one place only, off the diagonal."""
    phrase = encoder.model.text_features(torch.tensor(IDS[77][:1]), "box")[0]
    maps = (-phrase).roll(1).expand(1, 5, 5, -1).clone()
    maps[0, 0:2, 3:5] = phrase  # rows 0 and 1, columns 3 and 4
    right = torch.tensor([[3.0, 0.0, 5.0, 2.0]])
    swapped = right[:, [1, 0, 3, 2]]
    scores = [
        encoder.model.logits(encoder.model.region_features(maps, [box])[0], phrase[None]).item()
        for box in (right, swapped)
    ]
    best = encoder.logit_scale
    assert scores[0] == pytest.approx(best, rel=1e-5)
    assert scores[1] < 0.8 * best


def test_encoder_regions_are_those_of_the_image(encoder, weights, odd_images) -> None:
    image = odd_images[1]  # 333 x 500
    raw = squares([image])[0]
    _, dense = reference.image1(weights, (raw / 255 - MEAN) / STD, heads=3)
    boxes = torch.tensor([[33.3, 100.0, 300.0, 420.0], [0.0, 0.0, 0.0, 9.0]])
    mapped = encoder.preprocessing.map_boxes(boxes, *image.size)
    (found,) = encoder.encode_regions(encoder.preprocessing(image)[None], [mapped])
    cells = (boxes[0].double() / torch.tensor([333, 500] * 2) * 5).tolist()
    close(found[:1], reference.region(dense, cells)[None])
    assert not found[1].any()  # an empty box, by the convention of all encoders


def test_logits(encoder, weights) -> None:
    images, texts = torch.randn(3, 20), torch.randn(4, 20)
    expected = reference.logits(weights, images.numpy(), texts.numpy())
    close(encoder.model.logits(images, texts), expected)
    assert encoder.logit_scale == pytest.approx(np.exp(3.7), rel=1e-6)
    assert (encoder.scoring, encoder.logit_bias) == ("softmax", 0.0)


def test_the_short_path_is_plain_clip_on_the_same_weights(encoder, folders) -> None:
    """transformers' own model, which knows nothing of the second road."""
    from transformers import CLIPConfig, CLIPModel

    config = encoder.files.config
    plain = CLIPModel(
        CLIPConfig(
            text_config=config["text_config"] | {"bos_token_id": 49406, "eos_token_id": 49407},
            vision_config=config["vision_config"],
            projection_dim=20,
        )
    ).eval()
    missing, extra = plain.load_state_dict(encoder.model.state_dict(), strict=False)
    assert not missing
    assert len(extra) == 5
    ids, pixels = torch.tensor(IDS[77]), torch.randn(2, 3, 40, 40)
    with torch.no_grad():
        texts = plain.get_text_features(ids).pooler_output
        images = plain.get_image_features(pixels).pooler_output
    close(encoder.model.text_features(ids), texts.double().numpy())
    close(encoder.model.image_features(pixels), images.double().numpy())


def test_a_stretched_table_starts_training_where_short_texts_ended(encoder) -> None:
    """Both long tables stretched from the short one, and its head: only texts of more than 20
    tokens change.
    """
    model = copy.deepcopy(encoder.model)
    short, long = (torch.tensor(IDS[length][:2]) for length in (77, 248))  # of 6 and 58 tokens

    def differ(row: int) -> bool:
        found = model.text_features(short)[row], model.text_features(long, "long")[row]
        return not torch.allclose(*found, atol=1e-3)

    assert differ(0)
    stretched = stretch_positions(model.positions("short"))
    tables = model.text_model.embeddings
    with torch.no_grad():
        tables.position_embedding_ori.weight.copy_(stretched)
        tables.position_embedding_res.weight.copy_(stretched)
        assert differ(0)
        model.text_filip_projection.weight.copy_(model.text_projection.weight)
    torch.testing.assert_close(
        model.text_features(long[:1], "long"), model.text_features(short[:1])
    )
    assert differ(1)


@pytest.mark.parametrize(
    ("ids", "match"), [([[3, 4, 5]], "end token"), ([[49407] * 78], "at most 77 tokens")]
)
def test_ids_that_are_no_text(encoder, ids, match) -> None:
    with pytest.raises(DataError, match=match):
        encoder.model.text_features(torch.tensor(ids))
