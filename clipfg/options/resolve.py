"""Options from all their sources, checked once.

Precedence: flag or keyword argument > environment > `--config` file > project file (`clipfg.toml`
in the working folder) > user file > default. `CLIPFG_BATCH_SIZE` sets an option that means the same
to every command; `CLIPFG_SUGGEST_STRATEGY` sets one command's own, and wins. Files are TOML: shared
options at the top level, and any option of a command in a table of its name (`[suggest]`).
"""

import dataclasses
import logging
import os
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_origin

import platformdirs

from clipfg.errors import UsageError
from clipfg.options.declare import COMMANDS, Option, Options, declared
from clipfg.paths import expanded
from clipfg.printable import storable
from clipfg.registry import closest

logger = logging.getLogger("clipfg")

Kind = TypeVar("Kind", bound=Options)

PROJECT_FILE = Path("clipfg.toml")


def user_file() -> Path:
    """Where a person keeps options for all projects."""
    return Path(platformdirs.user_config_dir("clipfg")) / "clipfg.toml"


def resolve(
    kind: type[Kind], given: Mapping[str, Any], config: Path | None = None, *, flags: bool = False
) -> Kind:
    """The options of a command from every source; values of `given` that are None do not count.

    `flags` is whether messages call options by their flags or by their Python names.

    Raises `UsageError` for an unreadable file, an unknown option or a value that it cannot have,
    and says where that came from.
    """
    known = {one.name: one for one in declared(kind)}
    for key in given:
        if key not in known:
            raise UsageError(f"There is no option {key!r}.{closest(key, known)}")
    layers = [
        {k: _Value(v, known[k].flag if flags else k) for k, v in given.items() if v is not None},
        _environment(kind.command, known),
    ]
    named = config or os.environ.get("CLIPFG_CONFIG")
    files = [expanded(named)] if named else []
    # not `Path.is_file`, which raises in a home that cannot be entered
    files += [path for path in (PROJECT_FILE, user_file()) if os.path.isfile(path)]  # noqa: PTH113
    layers += [_read_file(path, kind.command, known) for path in files]
    merged: dict[str, _Value] = {}
    for layer in reversed(layers):
        if not layer.keys().isdisjoint(kind.alternatives):
            merged = {k: v for k, v in merged.items() if k not in kind.alternatives}
        merged |= layer
    return kind(**{key: check(known[key], *value) for key, value in merged.items()})


def to_json(options: Options) -> dict[str, Any]:
    """The options as plain values, for `config.json`."""
    from pydantic_core import to_jsonable_python

    plain: dict[str, Any] = to_jsonable_python(dataclasses.asdict(options))
    return plain


class _Value(NamedTuple):
    """A value as it was given, and what to call it in a message."""

    value: Any
    called: str


def check(option: Option, value: Any, called: str) -> Any:
    """A value as the option's type. Raises `UsageError` where it cannot be that."""
    from pydantic import TypeAdapter, ValidationError

    try:
        found = TypeAdapter(option.kind).validate_python(_plain(option, value))
        if option.kind is Path and value == "":
            raise TypeError("An empty path would be the working folder.")
        if isinstance(found, Path):
            found = found.expanduser()
            if str(found) != storable(str(found)):  # Arrow, SQLite and FAISS take no others
                raise UsageError(
                    f"{called} must be a path in UTF-8, got {storable(str(found))}; rename it."
                )
    except (ValidationError, TypeError, RuntimeError):  # the last for ~ of nobody
        raise UsageError(f"{called} must be {_expected(option)}, got {value!r}.") from None
    if isinstance(found, int) and not -sys.maxsize <= found <= sys.maxsize:
        raise UsageError(f"{called} must be at most {sys.maxsize}, got {value}.")
    if isinstance(found, int | float) and not isinstance(found, bool):
        if option.least is not None and not found >= option.least:
            raise UsageError(f"{called} must be at least {option.least:g}, got {value}.")
        if option.most is not None and not found <= option.most:
            raise UsageError(f"{called} must be at most {option.most:g}, got {value}.")
    return found


def _plain(option: Option, value: Any) -> Any:
    """A value as the text that stands for it: lists with commas, paths and numbers as they are.

    Raises `TypeError` for a truth value in place of a number or in a list, and for no list at all.
    """
    if get_origin(option.kind) is tuple:
        return (value,) if isinstance(value, str | Path) else tuple(value)
    if option.kind in (int, float) and isinstance(value, bool):
        raise TypeError("A truth value is no number.")
    if option.kind is not str:
        return value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(_text, value))
    return _text(value)


def _text(value: Any) -> Any:
    """Text for a number or a path; anything else as it is."""
    number = isinstance(value, Integral | float) and not isinstance(value, bool)
    return str(value) if number or isinstance(value, Path) else value


def _expected(option: Option) -> str:
    if option.choices:
        return f"one of {', '.join(option.choices)}"
    words = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}
    return words.get(option.kind, "text")


def _environment(command: str, known: Mapping[str, Option]) -> dict[str, _Value]:
    values = {}
    # The hub's own switch means the same; ours, where given, wins.
    hub_offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    if hub_offline and "offline" in known:
        values["offline"] = _Value("true", "HF_HUB_OFFLINE")
    for key, option in known.items():
        shared, own = f"CLIPFG_{key}".upper(), f"CLIPFG_{command}_{key}".upper()
        if value := os.environ.get(own):
            values[key] = _Value(value, own)
        elif (value := os.environ.get(shared)) and option.shared:
            values[key] = _Value(value, shared)
        elif value:
            logger.warning(f"{shared} is ignored: only {own} sets {option.flag} here.")
    return values


def _read_file(path: Path, command: str, known: Mapping[str, Option]) -> dict[str, _Value]:
    """The values of a file that this command has; every key is checked, whoever's it is."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"Cannot read the configuration file {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from None
    values: dict[str, _Value] = {}
    tables = {name: value for name, value in content.items() if isinstance(value, dict)}
    everything = {key for name in COMMANDS for key in _names(name)}
    for key, value in _spelled(content, tables).items():
        owners = [name for name in COMMANDS if key in _names(name)]
        if not owners:
            raise UsageError(f"{path} has an unknown option {key!r}.{closest(key, everything)}")
        if not any(_names(name)[key] for name in owners):
            raise UsageError(
                f"{path}: {key!r} belongs in a table of one command, such as [{owners[0]}]."
            )
        if key in known and known[key].shared:
            values[key] = _Value(value, f"{key} in {path}")
    for name, table in tables.items():
        if name not in COMMANDS:
            raise UsageError(f"{path}: [{name}] is not a command.{closest(name, COMMANDS)}")
        for key, value in _spelled(table).items():
            if key not in _names(name):
                hint = closest(key, _names(name))
                raise UsageError(f"{path}: [{name}] has an unknown option {key!r}.{hint}")
            if name == command and key in known:
                values[key] = _Value(value, f"{key} in [{name}] of {path}")
    return values


def _spelled(values: Mapping[str, Any], without: Iterable[str] = ()) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in values.items() if key not in without}


@cache
def _names(command: str) -> dict[str, bool]:
    """The options of a command and its sub-commands, and whether each is shared."""
    return {one.name: one.shared for kind in COMMANDS[command] for one in declared(kind)}
