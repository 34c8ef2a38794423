"""Waffle: random words and letters instead of descriptions.

"a photo of a wren, which has lantern bridge." Averaging over noise around the class name achieves
much of what descriptions do, so it is also the control that descriptions have to beat.

15 pairs of random words and random letters, each with the average number and length of the words in
class names. Every class gets the same noise, which therefore cannot distinguish classes.

Source: Roth et al. 2023, arXiv:2306.07282. The list of words is our own.
"""

import string
from pathlib import Path

import numpy as np

from clipfg.prompting.ensembling import EnsemblePart
from clipfg.prompting.product import plain_sentences
from clipfg.prompting.prompt_set import PromptSet, readable
from clipfg.prompting.rendering import Sentences
from clipfg.types import ClassList

PAIRS = 15

WORDS = Path(__file__).with_name("waffle_words.txt").read_text(encoding="utf-8").split()


def waffled_sentences(prompts: PromptSet, classes: ClassList, seed: int = 0) -> Sentences:
    """The set's first plain sentence, extended by each of 30 random tails.

    Each tail counts as a template. A set without plain templates gets "a photo of {a}.".
    """
    tails = random_tails(classes, seed)
    fallback = PromptSet("", ("a photo of {a}.",))
    rows = []
    for owner, name in enumerate(classes.names):
        sentences = plain_sentences(prompts, name) or fallback.numbered(name)
        stem = sentences[0][1].rstrip(" .")
        rows += [(owner, i, f"{stem}, which has {tail}.") for i, tail in enumerate(tails)]
    return Sentences.of(rows)


def random_tails(classes: ClassList, seed: int, pairs: int = PAIRS) -> list[str]:
    """Random words and random letters in turn, `pairs` of each; equal seeds, equal tails."""
    names = [readable(name).split() for name in classes.names]
    length = round(np.mean([len(word) for words in names for word in words]))
    words = round(np.mean([len(words) for words in names]))
    rng = np.random.default_rng(seed)
    letters = list(string.ascii_lowercase)
    tails = []
    for _ in range(pairs):
        tails.append(" ".join(word[:length] for word in rng.choice(WORDS, words)))
        tails.append(" ".join("".join(rng.choice(letters, length)) for _ in range(words)))
    return tails


PART = EnsemblePart(make=waffled_sentences)
