"""The captions of a picture, in the forms in which a cell of a table has them."""

import ast
import json
from typing import Any


def captions_in(cell: Any) -> list[str] | None:
    """The captions in a cell: a text, a list of texts, or either written out as a list.

    `["a jay", "a bird"]` is JSON, `['a jay', 'a bird']` is what pandas writes to a CSV. Blank ones
    are left out; None where nothing is left.
    """
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        cell = _listed(cell)
    several = cell if isinstance(cell, list | tuple) else [cell]
    texts = [text if isinstance(text, str) else json.dumps(text) for text in several if text]
    return [text.strip() for text in texts if text.strip()] or None


def _listed(cell: str) -> Any:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return cell
