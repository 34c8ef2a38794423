"""The files in which data sets list their images and labels: text, JSON, MATLAB."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipfg.data.sources import reason
from clipfg.errors import DataError


def read_lines(path: Path) -> list[str]:
    """The lines of a list file that are not blank, stripped. Raises `DataError`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Expected a readable list at {path}, got {reason(error)}.") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_fields(path: Path, pattern: str, what: str, *, skip: int = 0) -> list[tuple[str, ...]]:
    """The groups of `pattern` in each line after the first `skip`.

    Raises `DataError` for a line that does not match, and so is not `what`.
    """
    found = []
    for line in read_lines(path)[skip:]:
        match = re.fullmatch(pattern, line)
        if match is None:
            raise DataError(f"Expected {what}, got {line!r:.60} in {path}.")
        found.append(match.groups())
    return found


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Lines of a key, white space and a value. Raises `DataError` for a line without a value."""
    return [(key, value) for key, value in read_fields(path, r"(\S+)\s+(.+)", "a key and a value")]


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises `DataError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"Expected a readable file at {path}, got {reason(error)}.") from None
    except ValueError as error:
        raise DataError(f"Expected JSON in {path}, got {error}.") from None
    except RecursionError:
        raise DataError(f"Expected annotations in {path}, got too deeply nested JSON.") from None


def read_mat(path: Path, key: str) -> Any:
    """One variable of a MATLAB file as a one-dimensional array. Raises `DataError`."""
    import numpy as np
    from scipy.io import loadmat  # half a second: only when a data set needs it

    try:
        content = loadmat(str(path), variable_names=[key], squeeze_me=True)
        return np.atleast_1d(content[key])
    except OSError as error:
        raise DataError(f"Expected a readable file at {path}, got {reason(error)}.") from None
    except Exception as error:  # scipy raises several kinds on a damaged file
        what = f"a MATLAB file with {key!r} in {path}"
        raise DataError(f"Expected {what}, got: {reason(error)}.") from None


def in_order(names: Mapping[int, str], where: Path) -> list[str]:
    """The names of labels 0, 1, 2 ... Raises `DataError` when one of them has none."""
    if not names or sorted(names) != list(range(len(names))):
        raise DataError(
            f"Expected classes numbered without gaps in {where}, got {len(names)} numbers up to"
            f" {max(names, default=-1) + 1}."
        )
    return [names[label] for label in range(len(names))]
