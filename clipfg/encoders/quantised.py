"""Image towers whose matrix products are of 8-bit integers, run by ONNX Runtime.

The fastest way on processors without bf16. A tower is exported once, in float32, and the weights of
its products are rounded to bytes; what they are multiplied with is rounded as it comes, row by row
(`byte_products`), so that no feature depends on other images. Convolutions stay as they are, as
ONNX Runtime is slower at those of integers.
"""

import logging
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clipfg.atomic import finished
from clipfg.encoders.byte_products import with_byte_products
from clipfg.encoders.precision import can_quantise, cpu_flags
from clipfg.encoders.weights import Digest
from clipfg.errors import MissingError, UsageError

OPSET = 17
TOGETHER = 8
"""Images of a thread, which share the reading of weights."""

Tower = Callable[[Tensor], Tensor]


def check_quantisable(name: str, *, any_shape: bool) -> None:
    """Refuse an encoder that can have no image tower of bytes here.

    Raises `MissingError` without the extra `onnx`, `UsageError` for one of images of any shape.
    """
    if not can_quantise():
        raise MissingError(
            "Expected the extra 'onnx' for --precision int8; pip install 'clipfg[onnx]'."
        )
    if any_shape:
        raise UsageError(
            f"{name} takes images of any shape, which int8 does not; use --precision fp32 or bf16."
        )


def weight_bits() -> int:
    """8, or 7 on x86 without VNNI, where a sum of products of bytes saturates."""
    flags = cpu_flags()
    return 7 if "avx2" in flags and not flags & {"avx512_vnni", "avx_vnni", "amx_int8"} else 8


class QuantisedTower:
    """An image tower read from a file that `export` wrote."""

    def __init__(self, source: Path | bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # images are what is computed side by side
        given = source if isinstance(source, bytes) else str(source)
        self._session = onnxruntime.InferenceSession(
            given, options, providers=["CPUExecutionProvider"]
        )
        (entry,) = self._session.get_inputs()
        self._together = 1 if entry.shape[0] == 1 else TOGETHER
        self._threads = ThreadPoolExecutor(torch.get_num_threads())

    def __call__(self, inputs: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """Pooled features of normalised pixels."""
        return torch.cat(list(self._threads.map(self._run, inputs.split(self._together))))

    def _run(self, images: Tensor) -> Tensor:
        (found,) = self._session.run(None, {"inputs": images.numpy()})
        return torch.from_numpy(found)


def open_quantised(
    folder: Path | None, name: str, digest: Digest, export: Callable[[Path], None]
) -> QuantisedTower:
    """The tower kept in `folder` under a name that its weights are known by, exported if need be.

    A file that is not whole, by its seal, is made again. Without a folder nothing is kept.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as here:
            export(path := Path(here) / "tower.onnx")
            return QuantisedTower(path.read_bytes())
    path, seal = folder / f"{name}.onnx", folder / f"{name}.digest"
    if not (path.is_file() and seal.is_file() and seal.read_text() == digest(path)):
        with finished(path) as partial:
            export(partial)
        with finished(seal) as partial:
            partial.write_text(digest(path))
    return QuantisedTower(path)


def export(
    name: str, model: nn.Module, tower: Tower, sample: Float[Tensor, "1 3 h w"], path: Path
) -> None:
    """Write the tower of a model with products of `weight_bits`.

    Where the tower's code fixes the number of images, that is one. Raises `UsageError` for a tower
    that cannot be exported.
    """
    import onnx

    fast = torch.backends.mha.get_fastpath_enabled()
    with tempfile.TemporaryDirectory() as folder, _quiet():
        whole = Path(folder) / "float32.onnx"
        torch.backends.mha.set_fastpath_enabled(False)  # it has no form in ONNX
        try:
            for axes in ({"inputs": {0: "images"}, "features": {0: "images"}}, None):
                torch.onnx.export(
                    _Exported(model, tower).eval(),
                    (sample,),
                    str(whole),
                    input_names=["inputs"],
                    output_names=["features"],
                    dynamic_axes=axes,
                    dynamo=False,
                    opset_version=OPSET,
                )
                onnx.save(with_byte_products(onnx.load(whole), weight_bits()), path)
                if axes is None or _takes_several(path, sample):
                    break
        except (RuntimeError, ValueError, torch.onnx.errors.OnnxExporterError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UsageError(
                f"The image tower of {name} cannot be quantised ({reason[:200]}); use --precision"
                " fp32."
            ) from None
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


def _takes_several(path: Path, sample: Float[Tensor, "1 3 h w"]) -> bool:
    tower = QuantisedTower(path)
    try:
        return len(tower(sample.expand(2, -1, -1, -1))) == 2
    except Exception:  # ONNX Runtime has many kinds, none of them public
        return False


class _Exported(nn.Module):
    def __init__(self, model: nn.Module, tower: Tower) -> None:
        super().__init__()
        self.model = model
        self._tower = tower

    def forward(self, inputs: Tensor) -> Tensor:
        return self._tower(inputs)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of exporters, which tell their own developers something."""
    import warnings

    def said(_: Any) -> bool:
        return False

    root = logging.getLogger()
    root.addFilter(said)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeFilter(said)
