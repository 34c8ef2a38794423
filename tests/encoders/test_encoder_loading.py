import shutil
import subprocess
import sys

import pytest
import torch

from clipfg.encoders import builtin, families, load_encoder
from clipfg.encoders.families import FAMILIES
from clipfg.errors import MissingError, UsageError


def test_invalid_names(tmp_path) -> None:
    with pytest.raises(
        UsageError, match=r"encoder family, got 'flip'.*Known: builtin, fgclip, hf, open_c"
    ):
        load_encoder("flip:some/model")
    with pytest.raises(UsageError, match="after the colon"):
        load_encoder("hf:")
    with pytest.raises(UsageError, match="local-dir:PATH"):
        load_encoder("open_clip:zip:here")
    with pytest.raises(MissingError, match="not there"):
        load_encoder("open_clip:local-dir:/nowhere")
    with pytest.raises(MissingError, match="not there"):
        load_encoder("hf:./nowhere")
    with pytest.raises(MissingError, match=r"config\.json"):
        load_encoder(str(tmp_path))
    with pytest.raises(MissingError, match=r"open_clip_config\.json"):
        load_encoder(f"open_clip:local-dir:{tmp_path}")


@pytest.mark.parametrize("name", ["builtin:nothing", "builtin:../encoders", "builtin:"])
def test_invalid_built_in_names(name) -> None:
    with pytest.raises(UsageError):
        load_encoder(name)


def test_a_built_in_model_is_a_folder_of_the_package(folders, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(builtin, "PACKAGED", tmp_path)
    shutil.copytree(folders["open-clip-vit"], tmp_path / "petal")
    encoder = load_encoder("builtin:petal", precision="fp32", device="cpu")
    other = load_encoder(str(folders["open-clip-vit"]), precision="fp32", device="cpu")
    assert (encoder.name, encoder.fingerprint) == ("builtin:petal", other.fingerprint)


def test_invalid_options(folders) -> None:
    name = str(folders["open-clip-vit"])
    with pytest.raises(UsageError, match="precision"):
        load_encoder(name, precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="device"):
        load_encoder(name, device="toaster")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="'cuda'"):
            load_encoder(name, device="cuda")


def test_a_plug_in_is_called_for_its_prefix(monkeypatch) -> None:
    asked = {}

    def family(rest, **options):
        asked.update(rest=rest, **options)
        return "an encoder"

    monkeypatch.setattr(families, "mine", family, raising=False)
    monkeypatch.setitem(FAMILIES._targets, "mine", "clipfg.encoders.families:mine")
    assert load_encoder("mine:a:b", precision="fp16", device="cpu", offline=True) == "an encoder"
    assert (asked["rest"], asked["precision"], asked["offline"]) == ("a:b", "fp16", True)


LAZY = """
import sys
from clipfg.encoders import load_encoder
for name in sys.argv[1:]:
    encoder = load_encoder(name, precision="bf16", device="cpu", digest=lambda path: "known")
    print(encoder.fingerprint, encoder.logit_scale, encoder.logit_bias, encoder.scoring)
    assert "model" not in vars(encoder)
heavy = {"open_clip", "timm", "torchvision", "sklearn", "transformers.models.auto.modeling_auto"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def test_a_cached_run_imports_no_model_library(folders) -> None:
    names = [str(folders[kind]) for kind in ("open-clip-vit", "siglip")]
    subprocess.run([sys.executable, "-c", LAZY, *names], check=True)
