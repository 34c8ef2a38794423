"""Image towers of bytes."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch.nn.functional import cosine_similarity

from clipfg.cli.main import run
from clipfg.data.images import decoding
from clipfg.encoders import Encoder, load_encoder, precision, quantised
from clipfg.encoders.byte_products import with_byte_products
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
    exact = load(folder, "fp32")
    if isinstance(exact.preprocessing, NaFlexPreprocessing):
        with pytest.raises(UsageError, match="images of any shape"):
            load(folder)
        with pytest.raises(UsageError, match="images of any shape"):
            exact.at("int8").encode_images(pixels_for(exact))
        return
    fast = load(folder)
    assert fast.fingerprint != exact.fingerprint
    pixels = pixels_for(exact)
    expected, found = (one.encode_images(pixels).pooled for one in (exact, fast))
    assert found.dtype == torch.float32
    assert cosine_similarity(found, expected).min() > 0.99
    torch.testing.assert_close(fast.encode_texts(["a"]), exact.encode_texts(["a"]))


def test_a_feature_does_not_depend_on_its_neighbours() -> None:
    encoder = load("builtin:florette")
    pixels = pixels_for(encoder, 9)
    first = encoder.encode_images(pixels).pooled
    pixels[1:8], pixels[8] = 255 * (pixels[1:8] > 250), pixels[8]
    again = encoder.encode_images(pixels).pooled
    assert again[0].equal(first[0])
    assert again[8].equal(first[8])
    assert not again[1].equal(first[1])
    torch.testing.assert_close(
        encoder.encode_images(pixels[:1]).pooled, first[:1], rtol=0, atol=1e-3
    )


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


def test_what_is_missing_is_said_before_a_run_begins(monkeypatch, tmp_path, capsys) -> None:
    encoder = load("builtin:florette")
    monkeypatch.setattr(precision, "find_spec", lambda _: None)
    with pytest.raises(MissingError, match=r"pip install 'clipfg\[onnx\]'"):
        encoder.encode_images(pixels_for(encoder))
    monkeypatch.setattr(decoding, "_decode", None)  # a picture that is decoded would fail
    given = ["zeroshot", "--dataset", "synthflora", "--precision", "int8", "-o", f"{tmp_path}/run"]
    assert run([*given, "--cache-dir", f"{tmp_path}/cache"]) == MissingError.exit_code
    assert "pip install 'clipfg[onnx]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "bits"),
    [({"avx2"}, 7), ({"avx2", "avx_vnni"}, 8), ({"avx2", "avx512_vnni"}, 8), ({"asimd"}, 8)],
)
def test_fewer_bits_where_sums_saturate(monkeypatch, flags, bits) -> None:
    monkeypatch.setattr(quantised, "cpu_flags", lambda: flags)
    assert quantised.weight_bits() == bits


def test_weights_of_seven_bits_compute_nearly_the_same(monkeypatch, tmp_path) -> None:
    exact = load("builtin:florette", "fp32")
    others = {exact.fingerprint, load("builtin:florette").fingerprint}
    monkeypatch.setattr(quantised, "cpu_flags", lambda: {"avx2"})
    seven = load("builtin:florette", exports=tmp_path)
    assert seven.fingerprint not in others
    pixels = pixels_for(exact)
    expected, found = (one.encode_images(pixels).pooled for one in (exact, seven))
    assert cosine_similarity(found, expected).min() > 0.99
    (path,) = tmp_path.glob("*.onnx")
    arrays = (onnx.numpy_helper.to_array(part) for part in onnx.load(path).graph.initializer)
    weights = [array for array in arrays if array.dtype == np.int8 and array.ndim == 2]
    assert weights
    assert max(abs(array.astype(int)).max() for array in weights) == 64


class FixedTower(torch.nn.Module):
    """A tower whose code fixes the number of images."""

    def __init__(self) -> None:
        super().__init__()
        self.product = torch.nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.product(x.reshape(1, 12))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("bits", [7, 8])
@pytest.mark.parametrize("shape", [(4, 12), (2, 3, 12)])
def test_products_of_bytes_are_those_of_a_loop(tmp_path, bits, shape) -> None:
    layer = torch.nn.Linear(12, 5)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    x[0] = 0
    x[1] *= 100
    how = {"input_names": ["x"], "dynamo": False, "opset_version": quantised.OPSET}
    torch.onnx.export(layer, (x,), f"{tmp_path}/a.onnx", **how)
    model = with_byte_products(onnx.load(f"{tmp_path}/a.onnx"), bits)
    (found,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x.numpy()})
    steps, columns = {7: 64, 8: 127}[bits], layer.weight.detach().numpy()
    for row, out in zip(x.reshape(-1, 12).numpy(), found.reshape(-1, 5), strict=True):
        most = abs(row).max() or 1.0
        for column, bias, value in zip(columns, layer.bias.tolist(), out, strict=True):
            scale = abs(column).max() / steps
            pairs = zip(np.rint(row / most * 127), np.rint(column / scale), strict=True)
            expected = sum(a * b for a, b in pairs) * most / 127 * scale + bias
            assert value == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_tower_for_one_image_alone_takes_them_one_by_one(tmp_path) -> None:
    tower, sample = FixedTower(), torch.randn(1, 3, 2, 2)
    quantised.export("fixed", tower, tower, sample, tmp_path / "tower.onnx")
    found = quantised.QuantisedTower(tmp_path / "tower.onnx")(torch.cat([sample, 2 * sample]))
    expected = torch.cat([tower(sample), tower(2 * sample)])
    torch.testing.assert_close(found, expected.detach(), rtol=0, atol=0.05)
