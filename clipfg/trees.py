"""JSON and YAML from strangers, within limits."""

import json
import re
from typing import Any

from clipfg.errors import DataError

LONGEST_YAML = 1 << 24
"""Characters of a YAML file; its parser needs some hundred times their memory."""

HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape of a surrogate."""

DEEPEST = 64
"""Levels of a YAML file."""


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises `DataError` for anything that cannot be parsed, and for halves of characters, which a
    JSON text can name by escapes and nothing can write.
    """
    try:
        value = json.loads(text)
        if HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise DataError("Expected text, got half a character (\\ud800 to \\udfff).") from None
    except RecursionError:
        raise DataError("Expected plain data, got too deeply nested data.") from None
    except ValueError as error:  # also of numbers that are too long
        raise DataError(f"Expected JSON, got {_reason(error)}.") from None


def parse_yaml(text: str) -> Any:
    """The value of a YAML text: plain values alone, and no aliases of lists or mappings.

    Aliases of aliases unfold to any size. Raises `DataError` for these, for a text that is too long
    or nested too deeply, and for anything that cannot be parsed.
    """
    import yaml

    # libyaml, if available: ten times as fast and as safe
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if len(text) > LONGEST_YAML:
        raise DataError(f"Expected at most {LONGEST_YAML >> 20} MiB of YAML, got more; try JSON.")
    try:
        depth = aliased = 0
        anchors: set[str] = set()
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                anchors |= {event.anchor} if event.anchor else set()
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.AliasEvent):
                aliased += event.anchor in anchors
            if depth > DEEPEST or aliased:
                raise DataError("Expected plain data, got too deeply nested or aliased YAML.")
        return yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        place = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise DataError(f"Expected YAML, got {place}{_reason(error.problem)}.") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # also of dates that are none
        raise DataError(f"Expected YAML, got {_reason(error)}.") from None
    except RecursionError:
        raise DataError("Expected plain data, got too deeply nested data.") from None


def _reason(error: object) -> str:
    return " ".join(str(error or "something else").split())[:200].rstrip(".")
