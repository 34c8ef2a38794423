import numpy as np
import torch

from clipfg.functional.similarity import unit_norm
from clipfg.heads.zero_shot import ZeroShot
from clipfg.prompting import Sentences
from clipfg.prompting.ensembling import make_ensemble

OWNERS = [0, 0, 0, 1, 1, 2]


def case(seed: int = 0):
    rng = np.random.default_rng(seed)
    texts, images = rng.normal(size=(6, 8)), rng.normal(size=(5, 8))
    sentences = Sentences.of([(c, 0, str(i)) for i, c in enumerate(OWNERS)])
    return torch.from_numpy(texts).float(), unit_norm(torch.from_numpy(images).float()), sentences


def test_a_score_is_the_mean_of_the_sentences_scores() -> None:
    texts, images, sentences = case()
    weights = make_ensemble("score-mean").weights(texts, sentences)
    got = ZeroShot(scale=20.0, bias=-3.0, normalise=False).fit(text_weights=weights)
    expected = np.zeros((5, 3))
    for i, image in enumerate(images.numpy()):
        for c in range(3):
            scores = []
            for text, owner in zip(texts.numpy(), OWNERS, strict=True):
                if owner == c:
                    cosine = image @ text / np.linalg.norm(text)
                    scores.append(20 * cosine - 3)
            expected[i, c] = np.mean(scores)
    np.testing.assert_allclose(got.logits(images), expected, atol=1e-4)


def test_normalising_its_weights_would_make_it_the_mean() -> None:
    texts, images, sentences = case(1)
    weights = make_ensemble("score-mean").weights(texts, sentences)
    assert (weights.norm(dim=1)[:2] < 0.99).all()
    lost = ZeroShot().fit(text_weights=weights).logits(images)
    mean = ZeroShot().fit(text_weights=make_ensemble("mean").weights(texts, sentences))
    torch.testing.assert_close(lost, mean.logits(images), atol=1e-4, rtol=1e-4)
    kept = ZeroShot(normalise=False).fit(text_weights=weights).logits(images)
    assert not torch.allclose(kept, lost, atol=0.1)
