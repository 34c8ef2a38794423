"""Where an open_clip model's files lie: a folder or the hub's cache."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from clipfg.encoders.hub import TOKENIZER_FILES, fetch, fetch_tokenizer
from clipfg.encoders.weights import read_config
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.registry import closest

CONFIG = "open_clip_config.json"

WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
"""Names of weights in a folder, the preferred first, as open_clip prefers them."""


@dataclass(frozen=True)
class OpenClipFiles:
    """What an open_clip encoder is made from.

    Parameters
    ----------
    model, preprocessing
        `model_cfg` and `preprocess_cfg`, as open_clip writes them.
    weights
        The checkpoint.
    tokenizer
        Every file that decides how a text becomes tokens.
    tokenizer_source
        The folder of a Hugging Face tokenizer, or None for open_clip's own byte-pair encoding.
    folder
        The model's folder, None for a pretrained tag.
    text_tower
        The configuration of a Hugging Face text tower, where the model has one.
    """

    model: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    weights: Path
    tokenizer: tuple[Path, ...] = ()
    tokenizer_source: Path | None = None
    folder: Path | None = None
    text_tower: Path | None = None

    def all(self) -> list[Path]:
        """Every file whose content decides the features, the configuration's own apart."""
        tower = [self.text_tower] if self.text_tower else []
        return [self.weights, *self.tokenizer, *tower]

    def beside(self, filename: str) -> Path:
        """A file of the folder by its bare name. Raises `DataError` when it leads elsewhere."""
        folder = self.folder or Path()
        if (
            self.folder is None
            or Path(filename).name != filename
            or not (folder / filename).exists()
        ):
            raise DataError(
                f"Expected a file in the model's own folder {folder}, got {filename!r}; put the"
                " vocabulary beside the weights and give its bare name as bpe_path."
            )
        return folder / filename


def files_in_folder(folder: Path, *, offline: bool = True) -> OpenClipFiles:
    """The files of a folder in open_clip's layout.

    Everything lies in the folder, but for the configuration of a Hugging Face text tower, which may
    come from the hub.

    Raises `MissingError` when there is no configuration or checkpoint, `DataError` when the
    configuration is not one.
    """
    if not (folder / CONFIG).is_file():
        raise MissingError(
            f"Expected an open_clip model with a {CONFIG}, got {folder}, which has none."
        )
    config = read_config(folder / CONFIG)
    model = config.get("model_cfg", config)
    if not isinstance(model, dict) or not isinstance(model.get("text_cfg"), dict):
        raise DataError(f"Expected model_cfg with a text_cfg in {folder / CONFIG}, got neither.")
    text = model["text_cfg"]
    settings = text.get("tokenizer_kwargs") or {}
    files = OpenClipFiles(
        model, config.get("preprocess_cfg") or {}, _weights(folder), folder=folder
    )
    if wanted := text.get("hf_model_name"):
        near = (folder / Path(wanted).name / "config.json", folder / "config.json")
        tower = next((path for path in near if path.is_file()), None)
        tower = tower or _tower_config(wanted, f"open_clip:local-dir:{folder}", offline)
        files = replace(files, text_tower=_safe(tower))
    if vocabulary := settings.get("bpe_path"):
        return replace(files, tokenizer=(files.beside(vocabulary),))
    if text.get("hf_tokenizer_name"):
        found = tuple(folder / name for name in TOKENIZER_FILES if (folder / name).is_file())
        return replace(files, tokenizer=found, tokenizer_source=folder)
    return files


def _tower_config(repo: str, name: str, offline: bool) -> Path:
    path = fetch(repo, ["config.json"], name=name, offline=offline)
    if path is None:
        raise MissingError(f"The text tower of {name}, {repo}, has no config.json.")
    return path


def _safe(config: Path) -> Path:
    if "auto_map" in read_config(config):
        raise DataError(f"{config} asks for code of its own, which clipfg never executes.")
    return config


def _weights(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    others = sorted(
        path for end in ("safetensors", "bin", "pth", "pt") for path in folder.glob(f"*.{end}")
    )
    if len(others) == 1:
        return others[0]
    found = ", ".join(path.name for path in others) or "none"
    raise MissingError(f"Expected one checkpoint in {folder} (best: {WEIGHTS[0]}), got {found}.")


def files_of_tag(name: str, *, offline: bool) -> OpenClipFiles:
    """The files of `ARCH/TAG` from the hub's cache, downloaded where they are not there.

    A tag that was trained with QuickGELU gets it, whatever the architecture's name says. Raises
    `UsageError` for an unknown architecture or tag, `MissingError` when the weights cannot be had.
    """
    architecture, _, tag = name.rpartition("/")
    tables = pretrained_tables()
    config_path = package_folder() / "model_configs" / f"{architecture}.json"
    entry = tables.get_pretrained_cfg(architecture, tag)
    if not entry or Path(architecture).name != architecture or not config_path.is_file():
        raise UsageError(_unknown(architecture, tag, tables))
    model = read_config(config_path)
    if entry.get("quick_gelu"):
        model["quick_gelu"] = True
    full = f"open_clip:{name}"
    repo, _, filename = entry["hf_hub"].rpartition("/")
    weights = fetch(repo, _names_of_weights(filename), name=full, offline=offline)
    if weights is None:
        raise MissingError(f"The hub's {repo} has no weights for {full}; choose another tag.")
    files = OpenClipFiles(model, entry, weights)
    if source := model["text_cfg"].get("hf_tokenizer_name"):
        paths = fetch_tokenizer(source, name=full, offline=offline)
        files = replace(files, tokenizer=tuple(paths), tokenizer_source=paths[0].parent)
    if wanted := model["text_cfg"].get("hf_model_name"):
        files = replace(files, text_tower=_safe(_tower_config(wanted, full, offline)))
    return files


def _names_of_weights(filename: str) -> list[str]:
    filename = filename or "open_clip_pytorch_model.bin"
    if filename == "open_clip_pytorch_model.bin":
        return ["open_clip_model.safetensors", filename]
    if filename.endswith((".bin", ".pth")):
        return [f"{filename[:-4]}.safetensors", filename]
    return [filename]


def _unknown(architecture: str, tag: str, tables: ModuleType) -> str:
    known = sorted(f"{a}/{t}" for a, t in tables.list_pretrained())
    name = f"{architecture}/{tag}" if architecture else tag
    tags = tables.list_pretrained_tags_by_model(architecture)
    hint = f" Tags of {architecture}: {', '.join(tags)}." if tags else closest(name, known)
    return f"Expected ARCH/TAG of a pretrained open_clip model, got {name!r}.{hint}"


def package_folder() -> Path:
    """open_clip's folder, found without importing it."""
    spec = importlib.util.find_spec("open_clip")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def pretrained_tables() -> ModuleType:
    """open_clip's table of pretrained tags, without the two seconds that the whole library takes.

    The module is loaded under a package name of our own whose `__init__` does nothing; if the
    library is imported already, its own module is taken.
    """
    if "open_clip" in sys.modules:
        return importlib.import_module("open_clip.pretrained")
    alias = "_clipfg_open_clip_tables"
    if alias not in sys.modules:
        package = ModuleType(alias)
        package.__path__ = [str(package_folder())]
        sys.modules[alias] = package
    return importlib.import_module(f"{alias}.pretrained")
