"""JSON and YAML from strangers: plain values, or one short sentence."""

import pytest

from clipfg.errors import DataError
from clipfg.trees import parse_json, parse_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "a: &a {b: *a}",
        "[" * 5000,
        "- " * 5000 + "x",
        "x: !!python/object/apply:os.system [ls]",
        "when: 2020-99-99",
        "a: [",
        "\x00",
        "a: " + "9" * 5000,
    ],
)
def test_yaml_that_is_refused(text: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_yaml(text)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "{", "", '{"a": nope}', "\ufeff{}"])
def test_json_that_is_refused(text: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_json(text)
    assert len(str(caught.value)) < 300


def test_plain_values_and_aliases_of_words_are_read() -> None:
    assert parse_yaml("a: &x word\nb: *x\nc: [1, 2.5, null, true]") == {
        **{"a": "word", "b": "word"},
        "c": [1, 2.5, None, True],
    }
    assert parse_json('[{"a": null}]') == [{"a": None}]
    with pytest.raises(DataError, match=r"got line 2: "):
        parse_yaml("a: 1\n- b")
