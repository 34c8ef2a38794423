"""Likely problems in a prompt file, found without an encoder."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from clipfg.prompting.articles import with_article
from clipfg.prompting.descriptions import WHOLE, Descriptions
from clipfg.prompting.prompt_set import PromptSet, asks_for_text, loose, readable
from clipfg.registry import closest

FACTS = 5
"""The number of parts that a described class should have."""
CONTEXT = 77
EXAMPLE = "red-winged blackbird"

TokenCounter: TypeAlias = Callable[[Sequence[str]], list[int]]

_A_BEFORE_NAME = re.compile(r"\b(an?) \{\}", re.I)
_FIXED_ARTICLE = re.compile(r"\b(an?) ([A-Za-z][\w-]*)")
# Typographic characters that tokenizers know; any other one is likely a mistake.
_EXPECTED = set("‘’“”–—°é")


@dataclass(frozen=True)
class PromptIssue:
    """One problem: where it is, and whether a classifier can be built regardless."""

    level: Literal["error", "warning"]
    where: str
    what: str


def estimate_tokens(text: str) -> int:
    """A rough count of CLIP's tokens: words, another piece for long ones, and punctuation."""
    words = re.findall(r"[^\W\d_]+|\d|[^\w\s]", text)
    return 2 + sum(1 + (len(word) - 1) // 9 for word in words)


def lint(
    prompts: PromptSet,
    descriptions: Descriptions | None = None,
    classes: Sequence[str] = (),
    count: TokenCounter | None = None,
    context: int = CONTEXT,
    texts: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[PromptIssue]:
    """All problems of a prompt set, and of its structured descriptions where it has them.

    `classes` are names that it should serve, `texts` those that some of them bring. `count` counts
    tokens as an encoder does and `context` is that encoder's limit; without it they are estimated.
    """
    names = list(classes) or list(prompts.descriptions) or [EXAMPLE]
    sentences = {
        text: text
        for name in names
        for _, text in prompts.numbered(readable(name), texts.get(name, ()))
    }
    return [
        *_templates(prompts),
        *_names(prompts, classes),
        *(_texts(prompts) if descriptions is None else _parts(descriptions)),
        *truncated(sentences, count, context),
        *_characters(prompts),
    ]


def repeated(items: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Of `(key, name)` pairs, each name whose key occurred before, and the first such name."""
    seen: dict[str, str] = {}
    for key, name in items:
        if key in seen:
            yield name, seen[key]
        seen.setdefault(key, name)


def truncated(
    texts: Mapping[str, str], count: TokenCounter | None, context: int
) -> Iterator[PromptIssue]:
    """A warning for each text that is longer than `context` tokens; keys say where it is."""
    if not texts:
        return
    read = list(texts.values())
    lengths = count(read) if count is not None else [estimate_tokens(text) for text in read]
    about = "" if count is not None else "about "
    for where, length in zip(texts, lengths, strict=True):
        if length > context:
            what = f"is {about}{length} tokens long; what is beyond {context} is cut off"
            yield PromptIssue("warning", where, what)


def _templates(prompts: PromptSet) -> Iterator[PromptIssue]:
    keys = [" ".join(re.findall(r"[\w{}]+", text.casefold())) for text in prompts.templates]
    for template, first in repeated(zip(keys, prompts.templates, strict=True)):
        yield PromptIssue("warning", template, f"says the same as {first!r}")
    for template in prompts.templates:
        if (match := _A_BEFORE_NAME.search(template)) and len(prompts.templates) > 1:
            yield PromptIssue(
                "warning", template, f"{match[0]!r} reads wrong for some names; use {{a}}"
            )
        yield from _articles(template)
    for other in prompts.also:
        yield from _templates(other)


def _articles(text: str) -> Iterator[PromptIssue]:
    for article, word in _FIXED_ARTICLE.findall(text):
        right = with_article(word)
        if right.split()[0] != article.lower() and word.islower():
            yield PromptIssue("warning", text, f"expected {right!r}, got '{article} {word}'")


def _names(prompts: PromptSet, classes: Sequence[str]) -> Iterator[PromptIssue]:
    known = {loose(name) for name in classes}
    described = {loose(name): name for name in prompts.descriptions}
    for key, name in described.items() if known else ():
        if key not in known:
            hint = closest(name, classes)
            yield PromptIssue("error", name, f"is not in the class list.{hint}")
    for name in classes if described else ():
        if loose(name) not in described:
            only = all(map(asks_for_text, prompts.templates))
            yield PromptIssue("error" if only else "warning", name, "has no description")


def _parts(descriptions: Descriptions) -> Iterator[PromptIssue]:
    for name, parts in descriptions.parts.items():
        if len(parts) < FACTS:
            yield PromptIssue("warning", name, f"has {len(parts)} parts, fewer than {FACTS}")
        for part, first in repeated((phrase, part) for part, phrase in parts.items()):
            yield PromptIssue("warning", f"{name}: {part}", f"is the same as {first!r}")
        for part, phrase in parts.items():
            starts = re.match(r"(an?|the) ", phrase)
            if starts and part != WHOLE:
                yield PromptIssue("warning", f"{name}: {part}", f"begins with {starts[1]!r}")
            if part == WHOLE and not starts:
                yield PromptIssue("warning", f"{name}: {part}", "should begin with an article")
            for issue in _articles(phrase):
                yield PromptIssue(issue.level, f"{name}: {part}", issue.what)


def _texts(prompts: PromptSet) -> Iterator[PromptIssue]:
    for name, texts in prompts.descriptions.items():
        if len(set(texts)) < FACTS:
            yield PromptIssue("warning", name, f"has {len(set(texts))} texts, fewer than {FACTS}")
        if len(set(texts)) < len(texts):
            yield PromptIssue("warning", name, "has a duplicate text")
        for text in texts:
            yield from _articles(text)


def _characters(prompts: PromptSet) -> Iterator[PromptIssue]:
    texts = [*prompts.templates, *(t for own in prompts.descriptions.values() for t in own)]
    for text in texts:
        if odd := sorted({c for c in text if not c.isascii() and c not in _EXPECTED}):
            listed = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in odd)
            yield PromptIssue("warning", text, f"contains {listed}; is that intended?")
