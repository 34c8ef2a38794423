"""Batches follow from the seed and the step alone, and say what is true of what."""

from dataclasses import replace

import numpy as np
import torch

from clipfg.training.batches import FALSE_PHRASES, SENTENCES, Batches, Sampling, numbered

HOW = Sampling(batch_size=5, seed=3, views=2, mirror=True, crop=0.7, regions=3, negatives=2)


def facts(batch):
    tensors = [batch.boxes, batch.valid, batch.images(0), batch.images(1)]
    return (
        batch.rows.tolist(),
        batch.captions,
        batch.phrases,
        batch.negatives,
        batch.titles,
        [t.tolist() for t in tensors],
    )


def test_a_step_has_its_batch_whatever_came_before(examples) -> None:
    batches = Batches(examples, HOW)
    in_turn = [facts(batches(step)) for step in range(5)]
    assert facts(Batches(examples, HOW)(4)) == in_turn[4]
    assert facts(Batches(examples, HOW)(1)) == in_turn[1]
    assert facts(Batches(examples, replace(HOW, seed=4))(1)) != in_turn[1]


def test_an_epoch_has_each_item_at_most_once(examples) -> None:
    batches = Batches(examples, HOW)
    assert batches.per_epoch == 2
    epochs = [
        np.concatenate([batches(2 * epoch + place).rows for place in range(2)]).tolist()
        for epoch in range(2)
    ]
    assert all(len(set(rows)) == 10 for rows in epochs)
    assert epochs[0] != epochs[1]


def test_more_than_there_are_is_all_of_them(examples) -> None:
    batches = Batches(examples, replace(HOW, batch_size=1000))
    assert sorted(batches(7).rows.tolist()) == list(range(12))


def test_a_part_is_a_batch_of_its_own(examples) -> None:
    whole = Batches(examples, HOW)(0)
    part = whole[1:4]
    assert len(part) == 3
    assert part.images(1).equal(whole.images(1)[1:4])
    assert part.boxes.equal(whole.boxes[1:4])
    for name in ("captions", "phrases", "negatives", "titles", "sentences", "false_phrases"):
        assert getattr(part, name) == getattr(whole, name)[1:4]
    assert part.constants()["targets"].equal(whole.constants()["targets"][1:4])


def test_texts_belong_to_their_items(examples) -> None:
    batch = Batches(examples, HOW)(0)
    for i, row in enumerate(batch.rows.tolist()):
        assert batch.captions[i] in examples.captions[row]
        known = examples.negatives[row][batch.captions[i]]
        assert set(batch.negatives[i]) - {""} <= set(known)
        assert len(set(batch.negatives[i])) == 2
        for text, box in zip(batch.phrases[i], batch.boxes[i], strict=True):
            assert (text in examples.phrases[row]) if text else not box.any()
        assert batch.sentences[i][0] == batch.captions[i]
        assert len(batch.sentences[i]) == SENTENCES
        label = int(examples.labels[row])
        assert batch.titles[i] in (examples.class_texts[label] if label >= 0 else ("",))


def test_false_phrases_are_false_of_the_item(examples) -> None:
    batch = Batches(examples, HOW)(0)
    found = 0
    for row, phrases, false in zip(batch.rows, batch.phrases, batch.false_phrases, strict=True):
        assert len(false) == 3 * FALSE_PHRASES
        for r, phrase in enumerate(phrases):
            own = [t for t in false[r * FALSE_PHRASES : (r + 1) * FALSE_PHRASES] if t]
            assert tuple(own) == examples.false_phrases[row].get(phrase, ())
            assert not set(own) & {*examples.phrases[row], *examples.truths[row]}
            found += len(own)
    assert found > 0


def test_captions_that_are_true_of_others(examples) -> None:
    """A caption of one item is another's too, and one is a text of a class."""
    captions = list(examples.captions)
    captions[0] = captions[1] = ("the same",)
    captions[2] = (examples.class_texts[3][0],)
    batch = Batches(replace(examples, captions=captions), replace(HOW, batch_size=12))(0)
    labels = examples.labels.tolist()
    for i, row in enumerate(batch.rows.tolist()):
        of_class = examples.class_texts[labels[row]] if labels[row] >= 0 else ()
        true = {*captions[row], *of_class}
        for j in range(12):
            assert batch.also_true[i, j] == (batch.captions[j] in true and i != j)
            assert batch.true_of(batch.titles)[i, j] == (batch.titles[j] in true and i != j)
    assert 2 + 1 < batch.also_true.sum() < 12 * 11 / 2


def test_longest_captions_and_sentences(examples) -> None:
    captions = [("One. Two! three", "a long one of many words.")] * 12
    batch = Batches(replace(examples, captions=captions, negatives=()), replace(HOW, negatives=0))(
        0
    )
    assert batch.long_captions == ("a long one of many words.",) * 5
    for caption, own in zip(batch.captions, batch.sentences, strict=True):
        assert own[0] == ("One." if caption.startswith("One") else captions[0][1])
        assert set(own) == {"One.", "Two!", "three", "a long one of many words."}


def test_numbers_of_texts() -> None:
    wanted = torch.tensor([[0, 1, -1], [1, -1, 2]])
    assert numbered([("a", "b", ""), ("b", "", "c")]).equal(wanted)


def test_no_regions_and_no_texts(examples) -> None:
    bare = replace(
        examples,
        captions=(),
        class_texts=(),
        phrases=(),
        negatives=(),
        constants={},
        labels=examples.labels,
    )
    batch = Batches(bare, Sampling(batch_size=4, seed=0))(0)
    assert batch.boxes is None
    assert batch.captions == batch.titles == batch.phrases == ()
    with_boxes = Batches(bare, Sampling(batch_size=4, seed=0, regions=2))(0)
    assert with_boxes.phrases == (("", ""),) * 4
    assert (with_boxes.phrase_ids == -1).all()
    assert with_boxes.valid.any()


def test_regions_out_of_sight_are_not_valid(examples) -> None:
    edge = torch.tensor([[0.0, 0.0, 1.5, 1.5]])
    pixels = replace(examples.pixels, boxes=(edge,) * 12)
    few = replace(examples, pixels=pixels, phrases=[("a corner",)] * 12)
    batch = Batches(few, Sampling(batch_size=12, seed=0, regions=1, crop=0.3))(0)
    seen = (batch.shown[0].windows[:, :2] == 0).all(dim=1)
    assert not batch.valid.all()
    assert not (batch.valid[:, 0] & ~seen & (batch.shown[0].windows[:, 0] > 0.05)).any()
