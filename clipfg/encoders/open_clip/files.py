"""The files of an open_clip model: a pretrained tag's, or a folder's in open_clip's own layout."""

import importlib
import importlib.util
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from clipfg.encoders.hub import HubRepository
from clipfg.encoders.model_files import CheckpointFiles, ModelFolder, state_of, write_json
from clipfg.encoders.weights import check_no_code, read_config, read_model_config
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


@dataclass(frozen=True, kw_only=True)
class OpenClipFiles(CheckpointFiles):
    """What an open_clip encoder is made from, with its `model_cfg` and `preprocess_cfg`."""

    model: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    tokenizer_source: Path | None = None
    """The folder of a Hugging Face tokenizer, or None for open_clip's own byte-pair encoding."""
    text_tower: Path | None = None
    """The configuration of a Hugging Face text tower, where the model has one."""

    @property
    def hashed(self) -> tuple[Path, ...]:
        """Weights, tokenizer and the configuration of the text tower."""
        return super().hashed + ((self.text_tower,) if self.text_tower else ())

    def write(self, folder: Path, model: nn.Module) -> None:
        """Write open_clip's own layout: `open_clip_config.json`, weights and tokenizer."""
        from safetensors.torch import save_file

        config = {"model_cfg": self.model, "preprocess_cfg": self.preprocessing}
        write_json(folder / CONFIG, config)
        save_file(state_of(model), folder / WEIGHTS[0], metadata={"format": "pt"})
        self.copy_tokenizer(folder)
        if self.text_tower is not None:
            shutil.copyfile(self.text_tower, folder / "config.json")


def files_in_folder(folder: Path, *, offline: bool = True) -> OpenClipFiles:
    """The files of a folder in open_clip's layout; a text tower's configuration may be the hub's.

    Raises `MissingError` when there is no configuration or checkpoint, `DataError` when the
    configuration is not one.
    """
    source = ModelFolder(folder)
    path = source.require("an open_clip configuration", CONFIG)
    config = read_config(path)
    check_no_code(config, path)
    model = config.get("model_cfg", config)
    if not isinstance(model, dict) or not isinstance(model.get("text_cfg"), dict):
        raise DataError(f"Expected model_cfg with a text_cfg in {path}, got neither.")
    text = model["text_cfg"]
    tokenizer: tuple[Path, ...] = ()
    if vocabulary := (text.get("tokenizer_kwargs") or {}).get("bpe_path"):
        tokenizer = (_beside(folder, vocabulary),)
    elif text.get("hf_tokenizer_name"):
        tokenizer = source.tokenizer()
    tower = None
    if wanted := text.get("hf_model_name"):
        tower = source.first(f"{Path(wanted).name}/config.json", "config.json")
        tower = _tower(HubRepository(wanted, f"open_clip:local-dir:{folder}", offline), tower)
    return OpenClipFiles(
        model=model,
        preprocessing=config.get("preprocess_cfg") or {},
        weights=(_weights(source),),
        tokenizer=tokenizer,
        tokenizer_source=None if vocabulary or not tokenizer else folder,
        text_tower=tower,
    )


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
    text, full = model["text_cfg"], f"open_clip:{name}"
    repo, _, filename = entry["hf_hub"].rpartition("/")
    weights = HubRepository(repo, full, offline).weights(*_names_of_weights(filename))
    tokenizer: tuple[Path, ...] = ()
    if source := text.get("hf_tokenizer_name"):
        tokenizer = HubRepository(source, full, offline).tokenizer()
    wanted = text.get("hf_model_name")
    return OpenClipFiles(
        model=model,
        preprocessing=entry,
        weights=weights,
        tokenizer=tokenizer,
        tokenizer_source=tokenizer[0].parent if tokenizer else None,
        text_tower=_tower(HubRepository(wanted, full, offline)) if wanted else None,
    )


def _tower(repository: HubRepository, path: Path | None = None) -> Path:
    """The configuration of a text tower, from the hub where it is not at hand."""
    path = path or repository.require("the configuration of a text tower", "config.json")
    read_model_config(path)
    return path


def _beside(folder: Path, filename: str) -> Path:
    """A file of the folder by its bare name. Raises `DataError` when it leads elsewhere."""
    if Path(filename).name != filename or not (folder / filename).exists():
        raise DataError(
            f"Expected a vocabulary in the model's own folder {folder}, got {filename!r}; put it"
            " beside the weights and give its bare name as bpe_path."
        )
    return folder / filename


def _weights(source: ModelFolder) -> Path:
    if found := source.first(*WEIGHTS):
        return found
    kinds = {".safetensors", ".bin", ".pth", ".pt"}
    others = sorted(path for path in source.path.iterdir() if path.suffix in kinds)
    if len(others) != 1:
        names = ", ".join(path.name for path in others) or "none"
        raise MissingError(
            f"Expected one checkpoint in {source} (best: {WEIGHTS[0]}), got {names}."
        )
    return others[0]


def _names_of_weights(filename: str) -> list[str]:
    """The file that the table of tags names, and before it its equivalent in safetensors."""
    if filename in ("", "open_clip_pytorch_model.bin"):
        return ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
    return list(dict.fromkeys([str(Path(filename).with_suffix(".safetensors")), filename]))


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
    """open_clip's table of pretrained tags, without the two seconds that importing it all takes.

    The module is loaded under a package name of our own whose `__init__` does nothing; if the
    library is already imported, its own module is used.
    """
    if "open_clip" in sys.modules:
        return importlib.import_module("open_clip.pretrained")
    alias = "_clipfg_open_clip_tables"
    if alias not in sys.modules:
        package = ModuleType(alias)
        package.__path__ = [str(package_folder())]
        sys.modules[alias] = package
    return importlib.import_module(f"{alias}.pretrained")
