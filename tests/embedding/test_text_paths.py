"""Which way each text goes, and what is cut."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from clipfg.embedding.cache import EmbeddingCache
from clipfg.embedding.text_paths import choose_paths
from clipfg.embedding.texts import embed_texts
from clipfg.errors import UsageError
from tests.embedding.counting_encoder import CountingEncoder


class ThreePaths(CountingEncoder):
    """Six words the short way, twelve the long way; each path gives other features."""

    context_lengths = {"short": 6, "long": 12, "box": 6}  # noqa: RUF012

    def encode_texts(self, texts: Sequence[str], path: str = "short") -> torch.Tensor:
        return super().encode_texts([f"{path}: {text}" for text in texts])


class OnePath(CountingEncoder):
    context_lengths = {"short": 6}  # noqa: RUF012


NAME, LONG, LONGEST = "a photo of a wren", "word " * 9, "word " * 20
TEXTS = [LONG, NAME, LONGEST, NAME]


def test_long_texts_go_the_long_way() -> None:
    chosen = choose_paths(TEXTS, ThreePaths(), None)
    assert chosen.paths == ("long", "short", "long", "short")
    assert (chosen.cut, chosen.longest) == (1, 12)
    assert str(chosen) == "2 long, 2 short"


def test_without_a_long_way_long_texts_are_cut() -> None:
    chosen = choose_paths(TEXTS, OnePath(), None)
    assert chosen.paths == ("short",) * 4
    assert (chosen.cut, chosen.longest) == (2, 6)


def test_regions_take_the_box_way_where_there_is_one() -> None:
    chosen = choose_paths([NAME, LONG], ThreePaths(), None, use="regions")
    assert (chosen.paths, chosen.cut) == (("box", "box"), 1)
    assert choose_paths([NAME], OnePath(), None, use="regions").paths == ("short",)


@pytest.mark.parametrize(
    ("asked", "cut", "longest"), [("short", 2, 6), ("long", 1, 12), ("box", 2, 6)]
)
def test_a_path_that_is_asked_for_is_taken(asked, cut, longest) -> None:
    chosen = choose_paths(TEXTS, ThreePaths(), None, asked)
    assert chosen.paths == (asked,) * 4
    assert (chosen.cut, chosen.longest) == (cut, longest)


def test_a_path_that_is_lacking() -> None:
    with pytest.raises(UsageError, match=r"--text-path long: test:counting .* only short"):
        choose_paths([NAME], OnePath(), None, "long")


def test_tokens_are_counted_once(cache: EmbeddingCache) -> None:
    first, again = ThreePaths(), ThreePaths()
    expected = choose_paths(TEXTS, first, cache)
    assert first.loads == 1
    assert choose_paths(TEXTS, again, cache) == expected
    assert again.loads == 0
    assert choose_paths(["ab"], again, cache).cut == 0  # too short on sight
    assert again.loads == 0


def test_features_are_kept_apart_by_path(cache: EmbeddingCache) -> None:
    encoder = ThreePaths()
    paths = ["short", "long", "box"]
    rows = embed_texts([NAME] * 3, encoder, cache, path=paths)
    for row, path in zip(rows, paths, strict=True):
        own = torch.nn.functional.normalize(encoder.encode_texts([NAME], path))[0]
        torch.testing.assert_close(torch.from_numpy(row), own)
    again = ThreePaths()
    for row, path in zip(rows, paths, strict=True):
        assert np.array_equal(embed_texts([NAME], again, cache, path=path)[0], row)
    assert again.loads == 0


def test_the_short_path_keeps_what_earlier_versions_kept(cache: EmbeddingCache) -> None:
    from clipfg.types import content_hash

    encoder = ThreePaths()
    (row,) = embed_texts([NAME], encoder, cache)
    kept = cache.get("texts", encoder.fingerprint, [content_hash(NAME.encode())])
    assert np.array_equal(next(iter(kept.values())), row)
