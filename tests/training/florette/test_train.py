"""A few steps of florette's training, and the parts that it rests on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from torch.nn import functional

from clipfg.data.synthflora.captions import Caption, long_caption, name_caption, phrase
from clipfg.data.synthflora.flower import flower_at
from clipfg.data.synthflora.taxonomy import species, unseen_traits
from clipfg.encoders.open_clip.texts import encode_tokens
from clipfg.training.florette import train as florette
from clipfg.training.florette.pool import TrainingImages, draw_pool
from clipfg.training.florette.recipe import FloretteRecipe
from clipfg.training.florette.vocabulary import corpus, learn_merges

TINY = FloretteRecipe(images=48, samples=80, batch_size=16, width=32, layers=1, text_layers=1)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small only wait for one another on more threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def pool() -> TrainingImages:
    return draw_pool(0, TINY.images, TINY.image_size, workers=1)


@pytest.fixture(scope="module")
def trained(
    pool: TrainingImages, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("florette")
    told: list[str] = []
    florette.train(folder, seed=0, recipe=TINY, pool=pool, say=told.append)
    return folder, told


def test_training_lowers_the_loss_and_writes_a_folder(trained: tuple[Path, list[str]]) -> None:
    folder, told = trained
    first, last = (float(line.split("caption ")[1].split()[0]) for line in (told[0], told[-1]))
    assert last < first
    assert {f.name for f in folder.iterdir()} == {
        florette.CONFIG,
        florette.MERGES_FILE,
        florette.WEIGHTS[0],
    }


def test_the_folder_is_an_ordinary_open_clip_model(trained: tuple[Path, list[str]]) -> None:
    folder, _ = trained
    model, tokenizer = florette.load(folder)
    other, _, _ = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    ids = tokenizer(["a white flower", "a plain coral starwort"])
    with torch.inference_mode():
        assert torch.equal(other.eval().encode_text(ids), model.text(ids))


def test_trimmed_token_ids_give_the_full_towers_features(trained: tuple[Path, list[str]]) -> None:
    model, tokenizer = florette.load(trained[0])
    texts = [long_caption(s.traits, i) for i, s in enumerate(species()[:12])]
    ids = tokenizer(texts)
    cut = florette.TokenCache(tokenizer)(texts)
    assert cut.shape[1] < ids.shape[1]
    with torch.inference_mode():
        torch.testing.assert_close(encode_tokens(model, cut), model.text(ids))


def test_training_is_repeatable(pool: TrainingImages, tmp_path: Path) -> None:
    losses = []
    florette.write_configuration(TINY, tmp_path)
    for _ in range(2):
        trainer = florette.Trainer(TINY, pool, tmp_path, seed=3)
        losses.append([trainer.step(b, i)["caption"] for i, b in enumerate(trainer.batches())][:2])
    assert losses[0] == losses[1]


def test_the_pool_holds_no_unseen_species(pool: TrainingImages) -> None:
    assert not {pool.traits(i) for i in range(len(pool))} & unseen_traits()
    assert pool.traits(7) == flower_at(0, "pretrain", 7).traits


def test_pool_boxes_are_those_of_the_parts(pool: TrainingImages, tmp_path: Path) -> None:
    assert pool.boxes.shape == (TINY.images, 4, 4)
    assert (pool.boxes[:, 0, 2:] > pool.boxes[:, 0, :2]).all()
    pool.save(tmp_path / "pool.npz")
    assert np.array_equal(TrainingImages.load(tmp_path / "pool.npz").images, pool.images)


def test_every_word_of_a_caption_is_one_token(trained: tuple[Path, list[str]]) -> None:
    _, tokenizer = florette.load(trained[0])
    for s in species()[::13]:
        for text in (long_caption(s.traits), name_caption(s.traits).text):
            words = text.replace("-", " - ").replace(",", " ,").split()
            assert len(tokenizer.encode(text)) == len(words)


def test_merges_learn_the_most_frequent_pair_first() -> None:
    assert learn_merges(["aab aab ab"], 2) == [("a", "b</w>"), ("a", "ab</w>")]
    assert learn_merges(corpus(20), 600) == learn_merges(corpus(20), 600)


def test_truth_finds_all_images_that_a_caption_fits() -> None:
    codes = np.array([[0, 0, 1, 0, 0, 0, 0], [2, 0, 1, 0, 0, 0, 0], [0, 0, 3, 0, 0, 0, 0]], np.int8)
    captions = [Caption("", frozenset({"colour"})), Caption(""), Caption("", frozenset({"count"}))]
    found = florette.truth(codes, captions, np.arange(3))
    assert found.tolist() == [[True, True, False], [False, True, False], [True, False, True]]


def test_contrastive_loss_ignores_pairs_that_are_also_true() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.5], [0.0, 3.0, 1.0], [1.0, 0.2, 2.5]])
    plain = florette.contrastive_loss(logits, torch.eye(3, dtype=torch.bool))
    right = torch.arange(3)
    both = functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)
    torch.testing.assert_close(plain, both / 2)
    also = torch.eye(3, dtype=torch.bool)
    also[0, 2] = True  # text 0 also fits image 2: that pair must not count
    changed = logits.clone()
    changed[2, 0] = 50.0
    loss = florette.contrastive_loss(logits, also)
    torch.testing.assert_close(florette.contrastive_loss(changed, also), loss)


def test_schedule_climbs_and_falls() -> None:
    values = [florette.schedule(i / 100, 0.1) for i in range(100)]
    assert max(values) == pytest.approx(1.0)
    assert values[0] < 0.02
    assert values[-1] < 0.01


def test_phrases_differ_by_part() -> None:
    assert len({phrase(species()[0].traits, part).text for part in ("petals", "eye", "leaf")}) == 3
