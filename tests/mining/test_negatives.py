"""Hard negatives: false of their pictures, near to the truth, the same for the same seed."""

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from clipfg.data import synthflora
from clipfg.data.loading import load_dataset
from clipfg.data.synthflora.taxonomy import ATTRIBUTES, Traits
from clipfg.errors import DataError
from clipfg.mining.negatives import mine_negatives, most_confused
from clipfg.mining.words import normalised

BIRDS = [
    ["a bird with a red bill and a white belly", "this bird has a white belly"],
    ["a bird with a black bill and a white belly", "a bird with brown wings"],
    ["a bird with a red bill and a black belly"],
    ["a bird with a black bill and a red belly"],
    ["a bird with a white bill and a red belly"],
]


def traits_in(text: str) -> Traits | None:
    """The traits that a long caption of the drawn data states; None where it states no whole set.

    Its own code alone, and no rule of `mining`: every caption that the traits can have is tried.
    """
    return TRAITS.get(normalised(text))


FREE = synthflora.load_free(300)
FLOWERS = [synthflora.locate(uri).traits for uri in FREE.uris]
TRAITS = {
    normalised(synthflora.captions.long_caption(traits, style)): traits
    for flower in FLOWERS
    for name, values in ATTRIBUTES.items()
    for value in values
    for style in range(4)
    for traits in [Traits(**{**dict(zip(ATTRIBUTES, astuple(flower), strict=True)), name: value})]
}


def test_swaps_of_drawn_flowers_are_false_in_one_attribute() -> None:
    captions = FREE.column("captions") or []
    contests = mine_negatives(captions)
    assert len(contests) == 300
    changed = set()
    for contest in contests:
        true = FLOWERS[contest.item]
        assert contest.true == captions[contest.item][0]
        assert len(contest.negatives) >= 3
        for negative in contest.negatives:
            stated = traits_in(negative.text)
            assert stated is not None, negative.text
            different = true.differences(stated)
            assert len(different) == 1, negative.text
            changed |= set(different)
    assert changed == set(ATTRIBUTES)


def test_nothing_that_is_stated_is_put_in() -> None:
    for seed in range(20):
        for contest in mine_negatives(BIRDS, seed=seed):
            own = BIRDS[contest.item]
            assert normalised(contest.true) in map(normalised, own)
            for negative in contest.negatives:
                assert normalised(negative.text) not in map(normalised, own)
                if negative.kind == "colour":
                    new = negative.change.split(" -> ")[1].split()[0]
                    assert not any(new in text for text in own)


def test_an_exchange_is_made_of_values_that_occur_in_either_place() -> None:
    found = [
        (contest.item, negative.text)
        for seed in range(30)
        for contest in mine_negatives(BIRDS, seed=seed)
        for negative in contest.negatives
        if negative.kind == "exchange"
    ]
    assert set(found) == {
        (0, "a bird with a white bill and a red belly"),
        (1, "a bird with a white bill and a black belly"),
        (2, "a bird with a black bill and a red belly"),
        (3, "a bird with a red bill and a black belly"),
        (4, "a bird with a red bill and a white belly"),
    }


def test_further_texts_are_true_too() -> None:
    known = [["all of black, brown, white, red and grey"]] * len(BIRDS)
    with pytest.raises(DataError, match="Expected captions that state colours"):
        mine_negatives([texts[:1] for texts in BIRDS[:2]], known=known[:2])


def test_a_seed_decides() -> None:
    assert mine_negatives(BIRDS, seed=3) == mine_negatives(BIRDS, seed=3)
    assert any(mine_negatives(BIRDS, seed=s) != mine_negatives(BIRDS) for s in range(1, 6))


def test_look_alikes_contradict_what_is_known() -> None:
    labels = np.array([0, 1, 0, 1, 2])
    contests = mine_negatives(BIRDS, labels=labels, look_alikes=[[1], [0], []], seed=1)
    for contest in contests:
        for negative in contest.negatives:
            if negative.kind == "look-alike":
                other = [
                    t
                    for i, texts in enumerate(BIRDS)
                    if labels[i] != labels[contest.item]
                    for t in texts
                ]
                assert negative.text in other
                assert contest.item != 4
                assert negative.text not in ("this bird has a white belly",)
    assert any(n.kind == "look-alike" for c in contests for n in c.negatives)


def test_most_confused_counts_both_directions() -> None:
    table = np.array([[9, 1, 0, 0], [3, 9, 0, 2], [0, 0, 9, 0], [0, 0, 0, 9]])
    assert most_confused(table) == [[1], [0, 3], [], [1]]
    assert most_confused(table, most=1) == [[1], [0], [], [1]]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["flickr8k", "CUB_200_2011"])
def test_real_captions_never_state_what_is_put_in(shared: Path, name: str) -> None:
    captions = load_dataset(str(shared / "data" / name)).select(limit=150).column("captions") or []
    contests = mine_negatives(captions)
    assert len(contests) > 200
    for contest in contests:
        own = " ".join(map(normalised, captions[contest.item])).split()
        for negative in contest.negatives:
            if " -> " in negative.change:
                assert negative.change.split(" -> ")[1].split()[0] not in own
