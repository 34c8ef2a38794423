"""Every option that commands share, its default, and where a value may come from.

Precedence: flag > `CLIPFG_*` > `--config` file > project file (`clipfg.toml` in the working
folder) > user file > default. Files are TOML with the option's names (`batch_size = 64`). In a
table named after a command (`[suggest]`) they are that command's alone, and win over the others.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from clipfg.errors import UsageError
from clipfg.registry import closest

Format = Literal["table", "json", "jsonl", "csv", "parquet"]

PROJECT_FILE = Path("clipfg.toml")
COMMANDS = (
    "zeroshot",
    "predict",
    "fewshot",
    "embed",
    "retrieve",
    "demos",
    "icl",
    "lint",
    "suggest",
    "coreset",
    "doctor",
    "index",
    "datasets",
    "cache",
)
"""Commands that take options, and so may have a table in a file."""


def user_file() -> Path:
    """Where a person keeps options for all projects."""
    return Path(platformdirs.user_config_dir("clipfg")) / "clipfg.toml"


class Settings(BaseSettings):
    """The resolved options of one run, as they are written to its `config.json`."""

    model_config = SettingsConfigDict(env_prefix="CLIPFG_", extra="forbid", frozen=True)

    dataset: str | None = Field(None, description="a data name or a path")
    data_root: Path | None = Field(None, description="the folder that holds the data sets")
    split: str | None = Field(None, description="which part of the data; the set's own default")
    classes: Path | None = Field(None, description="class names: a text file or a CSV")
    model: str | None = Field(None, description="an encoder's name or folder")
    prompts: str | None = Field(None, description="a prompt set's name or file")
    ensemble: str = Field("mean", description="how a class's sentences become one weight")
    transductive: str | None = Field(None, description="a refinement on the unlabelled pool")
    head: Path | None = Field(None, description="a saved head")
    heads: str | None = Field(None, description="few-shot heads, commas between")
    shots: str | None = Field(None, description="images of each class to learn from, or to show")
    seeds: int = Field(3, ge=1, le=100, description="draws of the support set")
    support: Path | None = Field(None, description="a file of ids to learn from")
    own_labels: str | None = Field(None, description="a person's own labelled images")
    save: Path | None = Field(None, description="where a fitted head goes")
    within: str | None = Field(None, description="candidates: these classes, or those below a node")
    target_error: float | None = Field(None, description="the share of answers that may be wrong")
    prediction_set: float | None = Field(None, description="how often a set holds the true class")
    each_class: bool = Field(False, description="sets hold it that often within every class")
    unknown: bool = Field(False, description="tell images of no known class")
    roll_up: float | None = Field(None, description="the probability an answer must have")
    calibration: str = Field("folds", description="what confidence is learnt from")
    store: Path | None = Field(None, description="the folder of a key store")
    strategy: str | None = Field(None, description="how images are selected")
    per_class: str | None = Field(None, description="keys of each class, commas between")
    total: Annotated[int, Field(ge=1)] | None = None
    budget: int = Field(20, ge=1, description="images to label next")
    order: Literal["first", "last"] = Field("first", description="where the most similar stands")
    candidates: str = Field("all", description="all, zero-shot:M or retrieved:M")
    choices: Annotated[int, Field(ge=2, le=26)] | None = None
    instruction: str | None = Field(None, description="what is said before the first image")
    question: str = Field("What is shown in this image?", min_length=1)
    lvlm: str | None = Field(None, description="a language model that sees")
    seed: int = Field(0, ge=0, description="of everything random")
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 32
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    workers: Annotated[int, Field(ge=1, le=256)] | None = None
    top_k: Annotated[int, Field(ge=1, le=1000)] = 5
    format: Format | None = None
    output: Path | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    resume: bool = True
    offline: bool = False
    strict: bool = False
    cache_dir: Path = Path(platformdirs.user_cache_dir("clipfg"))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values come merged from `resolve`; nothing else is read behind its back."""
        return (init_settings,)

    @classmethod
    def resolve(cls, config: Path | None = None, command: str | None = None, **flags: Any) -> Self:
        """Merge all sources; `flags` that are None count as not given.

        Of a file's tables the one of the `command` is read.

        Raises `UsageError` for an unreadable file, an unknown option or a value out of range,
        naming the source that holds it.
        """
        layers = [
            ("the command line", {k: v for k, v in flags.items() if v is not None}),
            ("the environment", _environment(cls)),
        ]
        explicit = config or (Path(c) if (c := os.environ.get("CLIPFG_CONFIG")) else None)
        if explicit is not None:
            layers.append((str(explicit), _read_file(explicit, cls, command)))
        for path in (PROJECT_FILE, user_file()):
            if path.is_file():
                layers.append((str(path), _read_file(path, cls, command)))
        merged: dict[str, Any] = {}
        origin: dict[str, str] = {}
        for source, values in layers:
            for key, value in values.items():
                if key not in merged:
                    merged[key], origin[key] = value, source
        try:
            return cls(**merged)
        except ValidationError as error:
            first = error.errors()[0]
            key = str(first["loc"][0])
            raise UsageError(
                f"Expected another value of {key!r} in {origin.get(key, 'the options')}, got"
                f" {first['input']!r}: {first['msg'].lower()}."
            ) from None


def _environment(settings: type[Settings]) -> dict[str, str]:
    values = {}
    for key in settings.model_fields:
        value = os.environ.get(f"CLIPFG_{key.upper()}")
        if value:
            values[key] = value
    # The hub's own switch means the same; ours, where given, wins.
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        values.setdefault("offline", "true")
    return values


def _read_file(path: Path, settings: type[Settings], command: str | None) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"Expected a configuration file at {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"Expected TOML in {path}: {error}.") from None
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    shared = {key: value for key, value in values.items() if key not in tables}
    for name in tables:
        if name not in COMMANDS:
            raise UsageError(
                f"Expected tables named after commands in {path}, got [{name}]."
                f"{closest(name, COMMANDS)}"
            )
    options = {"": _options(shared, path, settings)}
    options |= {name: _options(table, path, settings) for name, table in tables.items()}
    return options[""] | options.get(command or "", {})


def _options(values: dict[str, Any], path: Path, settings: type[Settings]) -> dict[str, Any]:
    values = {key.replace("-", "_"): value for key, value in values.items()}
    for key in values:
        if key not in settings.model_fields:
            raise UsageError(
                f"Expected options in {path}, got {key!r}.{closest(key, settings.model_fields)}"
            )
    return values
