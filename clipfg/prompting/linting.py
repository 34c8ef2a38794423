"""What is likely wrong with a prompt file, line by line, without an encoder."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from clipfg.prompting.articles import with_article
from clipfg.prompting.descriptions import WHOLE, Descriptions
from clipfg.prompting.prompt_set import PromptSet, asks_for_text, loose, readable
from clipfg.registry import closest

FACTS = 5
"""How many parts a described class should have."""
CONTEXT = 77
EXAMPLE = "red-winged blackbird"

_A_BEFORE_NAME = re.compile(r"\b(an?) \{\}", re.I)
_FIXED_ARTICLE = re.compile(r"\b(an?) ([A-Za-z][\w-]*)")
# What typographers write and tokenizers know; anything else is a surprise worth a word.
_EXPECTED = set("‘’“”–—°é")


@dataclass(frozen=True)
class PromptIssue:
    """One remark: what it is about, and whether a classifier can be made regardless."""

    level: Literal["error", "warning"]
    where: str
    what: str


def estimate_tokens(text: str) -> int:
    """Tokens of CLIP's tokenizer by rule of thumb: words, a piece more for long ones, and marks."""
    words = re.findall(r"[^\W\d_]+|\d|[^\w\s]", text)
    return 2 + sum(1 + (len(word) - 1) // 9 for word in words)


def lint(
    prompts: PromptSet,
    descriptions: Descriptions | None = None,
    classes: Sequence[str] = (),
    count: Callable[[Sequence[str]], list[int]] | None = None,
    context: int = CONTEXT,
) -> list[PromptIssue]:
    """Everything to be said of a set; of its structured descriptions too, where it has them.

    `classes` are names that it should serve. `count` counts tokens as an encoder does and
    `context` is that encoder's limit; without it tokens are estimated.
    """
    found = list(_templates(prompts))
    found += _names(prompts, classes)
    if descriptions is not None:
        found += _parts(descriptions)
    else:
        found += _texts(prompts)
    found += _lengths(prompts, classes, count, context)
    found += _characters(prompts)
    return found


def _templates(prompts: PromptSet) -> Iterator[PromptIssue]:
    seen: dict[str, str] = {}
    for template in prompts.templates:
        same = " ".join(re.findall(r"[\w{}]+", template.casefold()))
        if same in seen:
            yield PromptIssue("warning", template, f"says the same as {seen[same]!r}")
        seen.setdefault(same, template)
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
        seen: dict[str, str] = {}
        for part, phrase in parts.items():
            if phrase in seen:
                yield PromptIssue("warning", f"{name}: {part}", f"is the same as {seen[phrase]!r}")
            seen.setdefault(phrase, part)
            starts = re.match(r"(an?|the) ", phrase)
            if starts and part != WHOLE:
                yield PromptIssue("warning", f"{name}: {part}", f"begins with {starts[1]!r}")
            if part == WHOLE and not starts:
                yield PromptIssue("warning", f"{name}: {part}", "should begin with an article")
            for finding in _articles(phrase):
                yield PromptIssue(finding.level, f"{name}: {part}", finding.what)


def _texts(prompts: PromptSet) -> Iterator[PromptIssue]:
    for name, texts in prompts.descriptions.items():
        if len(set(texts)) < FACTS:
            yield PromptIssue("warning", name, f"has {len(set(texts))} texts, fewer than {FACTS}")
        if len(set(texts)) < len(texts):
            yield PromptIssue("warning", name, "has a text twice")
        for text in texts:
            yield from _articles(text)


def _lengths(
    prompts: PromptSet,
    classes: Sequence[str],
    count: Callable[[Sequence[str]], list[int]] | None,
    context: int,
) -> Iterator[PromptIssue]:
    names = list(classes) or list(prompts.descriptions) or [EXAMPLE]
    texts = list(dict.fromkeys(t for n in names for _, t in prompts.numbered(readable(n))))
    lengths = count(texts) if count is not None else map(estimate_tokens, texts)
    about = "" if count is not None else "about "
    for text, length in zip(texts, lengths, strict=True):
        if length > context:
            what = f"is {about}{length} tokens long; what is beyond {context} is cut off"
            yield PromptIssue("warning", text, what)


def _characters(prompts: PromptSet) -> Iterator[PromptIssue]:
    texts = [*prompts.templates, *(t for own in prompts.descriptions.values() for t in own)]
    for text in texts:
        odd = sorted({c for c in text if not c.isascii() and c not in _EXPECTED})
        if odd:
            listed = ", ".join(f"{c!r} (U+{ord(c):04X})" for c in odd)
            yield PromptIssue("warning", text, f"has {listed}; is that meant?")
