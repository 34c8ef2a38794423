"""Labels that are numbers, codes or synset ids, and what they are called elsewhere."""

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"[+-]?\d+(\.0+)?")
_SYNSET = re.compile(r"n\d{8}|/m/0\w+")
_SHORT = re.compile(r"[a-z0-9]{2,8}|[A-Z0-9]{2,8}")
_CODE = re.compile(r"[A-Za-z]{0,8}[ _-]?\d+")


def is_number(text: str) -> bool:
    """Whether a label is a whole number."""
    return _NUMBER.fullmatch(text) is not None


def is_nameless(text: str) -> bool:
    """Whether a label says nothing to a text encoder: a number, or an id of WordNet or Freebase."""
    return is_number(text) or _SYNSET.fullmatch(text) is not None


def are_nameless(names: Iterable[str]) -> bool:
    """Whether no label of any says something; blank ones are not asked."""
    return all(is_nameless(name) for name in names if name)


def are_codes(names: Iterable[str]) -> bool:
    """Whether labels look like codes: numbers, also after a few letters, or synset ids."""
    words = [name for name in names if name]
    return bool(words) and all(is_nameless(word) or _CODE.fullmatch(word) for word in words)


def are_short(names: Iterable[str]) -> bool:
    """Whether labels may be abbreviations: `amerob`, `MEL`."""
    words = [name for name in names if name]
    return bool(words) and all(_SHORT.fullmatch(word) for word in words)


def identity(text: str) -> str:
    """A label's id in one spelling: `1.0` and `01` are 1."""
    return str(int(float(text))) if is_number(text) and len(text) < 16 else text
