"""Image towers of bytes."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cosine_similarity

from clipfg.encoders import Encoder, load_encoder, precision, quantised
from clipfg.encoders.naflex import NaFlexPreprocessing
from clipfg.errors import MissingError, UsageError
from tests import checkpoints


def load(folder: Path | str, precision: str = "int8", **options) -> Encoder:
    return load_encoder(str(folder), precision=precision, device="cpu", **options)  # type: ignore[arg-type]


def pixels_for(encoder: Encoder, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    shape = (count, 3, *encoder.preprocessing.size)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("kind", checkpoints.EVERY)
def test_every_family_computes_nearly_the_same_with_bytes(kind, tmp_path) -> None:
    folder = checkpoints.EVERY[kind](tmp_path / kind)
    exact, fast = load(folder, "fp32"), load(folder)
    assert fast.fingerprint != exact.fingerprint
    if isinstance(fast.preprocessing, NaFlexPreprocessing):
        with pytest.raises(UsageError, match="images of any shape"):
            fast.encode_images(pixels_for(fast))
        return
    pixels = pixels_for(exact)
    expected, found = (one.encode_images(pixels).pooled for one in (exact, fast))
    assert found.dtype == torch.float32
    assert cosine_similarity(found, expected).min() > 0.99
    torch.testing.assert_close(fast.encode_texts(["a"]), exact.encode_texts(["a"]))


def test_a_feature_does_not_depend_on_its_neighbours() -> None:
    encoder = load("builtin:florette")
    pixels = pixels_for(encoder)
    alone = [encoder.encode_images(row[None]).pooled for row in pixels]
    assert torch.cat(alone).equal(encoder.encode_images(pixels).pooled)


def test_a_tower_is_exported_once_and_a_damaged_one_again(tmp_path, monkeypatch) -> None:
    made = []
    export = quantised.export
    monkeypatch.setattr(quantised, "export", lambda *given: made.append(given[0]) or export(*given))
    pixels = pixels_for(load("builtin:florette"))
    first = load("builtin:florette", exports=tmp_path).encode_images(pixels).pooled
    again = load("builtin:florette", exports=tmp_path)
    assert again.encode_images(pixels).pooled.equal(first)
    assert "model" not in vars(again)  # torch's weights are not even read
    assert len(made) == 1
    (kept,) = tmp_path.glob("*.onnx")
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    assert load("builtin:florette", exports=tmp_path).encode_images(pixels).pooled.equal(first)
    assert len(made) == 2


def test_patches_are_those_of_float32() -> None:
    encoder, exact = load("builtin:florette"), load("builtin:florette", "fp32")
    pixels = pixels_for(encoder)
    found = encoder.encode_images(pixels, patches=True)
    assert found.pooled.equal(encoder.encode_images(pixels).pooled)
    expected = exact.encode_images(pixels, patches=True)
    torch.testing.assert_close(found.patches, expected.patches)


def test_what_is_missing_is_said(monkeypatch) -> None:
    encoder = load("builtin:florette")
    monkeypatch.setattr(precision, "find_spec", lambda _: None)
    with pytest.raises(MissingError, match=r"pip install 'clipfg\[onnx\]'"):
        encoder.encode_images(pixels_for(encoder))


@pytest.mark.parametrize(
    ("flags", "bits"),
    [({"avx2"}, 7), ({"avx2", "avx_vnni"}, 8), ({"avx2", "avx512_vnni"}, 8), ({"asimd"}, 8)],
)
def test_fewer_bits_where_sums_saturate(monkeypatch, flags, bits) -> None:
    monkeypatch.setattr(quantised, "cpu_flags", lambda: flags)
    assert quantised.weight_bits() == bits
