import numpy as np
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.prompting import Sentences
from clipfg.prompting.ensembling import ensemble_mean, make_ensemble
from clipfg.prompting.weighted import template_scores, template_weights

SCALE = 30.0


def case(seed: int = 0, templates=((0, 1, 1, 2), (0, 1, 2), (0, 1, 2))):
    rng = np.random.default_rng(seed)
    rows = [(c, p, f"{c}{p}{i}") for c, ps in enumerate(templates) for i, p in enumerate(ps)]
    sentences = Sentences.of(rows)
    texts = unit_norm(torch.from_numpy(rng.normal(size=(len(rows), 8))).float())
    images = unit_norm(torch.from_numpy(rng.normal(size=(11, 8)) + 1).float())
    return texts, sentences, images


def scores_by_loop(texts, sentences, images, p) -> float:
    x = images.numpy().astype(float)
    best = []
    for n in range(len(x)):
        logits = []
        for c in range(3):
            rows = [
                t.numpy().astype(float)
                for t, owner, template in zip(
                    texts, sentences.owners, sentences.templates, strict=True
                )
                if owner == c and template == p
            ]
            z = np.mean(rows, axis=0)
            z /= np.linalg.norm(z)
            bias = np.mean([SCALE * image @ z for image in x])
            logits.append(SCALE * x[n] @ z - bias)
        best.append(max(logits))
    return float(np.mean(best))


def test_scores_and_weights_against_a_plain_loop() -> None:
    texts, sentences, images = case()
    expected = np.array([scores_by_loop(texts, sentences, images, p) for p in range(3)])
    scores = template_scores(texts, sentences, images, SCALE)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)
    shares = np.exp(expected - expected.max())
    shares /= shares.sum()
    got = make_ensemble("weighted").weights(texts, sentences, images, SCALE)
    for c in range(3):
        rows = np.flatnonzero(sentences.owners == c)
        weight = sum(shares[sentences.templates[i]] * texts[i].numpy() for i in rows)
        np.testing.assert_allclose(got[c], weight / np.linalg.norm(weight), atol=1e-5)


def test_equal_scores_make_it_the_mean() -> None:
    texts, sentences, images = case()
    got = make_ensemble("weighted").weights(texts, sentences, images, 0.0)
    mean = ensemble_mean(texts, torch.from_numpy(sentences.owners))
    torch.testing.assert_close(got, mean, atol=1e-6, rtol=0)


def test_a_template_missing_for_some_class_gets_the_average_weight() -> None:
    texts, sentences, images = case(1, ((0, 1, 2), (0, 1), (0, 1, 2)))
    scores = template_scores(texts, sentences, images, SCALE)
    assert torch.isfinite(scores).tolist() == [True, True, False]
    counts = template_weights(texts, sentences, images, SCALE)
    assert counts[sentences.templates == 2].tolist() == [1.0, 1.0]
    scored = {p: float(counts[sentences.templates == p][0]) for p in (0, 1)}
    assert abs(sum(scored.values()) / 2 - 1) < 1e-6


def test_a_template_with_a_very_low_score_keeps_some_weight() -> None:
    texts, sentences, images = case()
    assert (template_weights(texts, sentences, images, 1e5) > 0).all()
    assert make_ensemble("weighted").weights(texts, sentences, images, 1e5).isfinite().all()


def test_the_order_of_images_does_not_matter() -> None:
    texts, sentences, images = case(2)
    one = template_weights(texts, sentences, images, SCALE)
    other = template_weights(texts, sentences, images.flip(0), SCALE)
    torch.testing.assert_close(one, other)


def test_a_template_that_separates_the_images_wins() -> None:
    classes = torch.eye(3, 8)
    images = unit_norm(classes.repeat(4, 1) + 0.01)
    blurred = unit_norm(classes + 3)
    texts = torch.stack([t for pair in zip(classes, blurred, strict=True) for t in pair])
    sentences = Sentences.of([(c, p, "") for c in range(3) for p in (0, 1)])
    counts = template_weights(texts, sentences, images, SCALE)
    assert counts[0] > 5 * counts[1]
