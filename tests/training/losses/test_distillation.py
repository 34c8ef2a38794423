import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn.functional import normalize

from clipfg.errors import DataError
from clipfg.training.losses.distillation import distillation, region_scores, region_target
from tests.training.losses.plain import cosine, draw, mean, surprise

KNOWN = torch.tensor([True, False, True, True])
MASK = torch.tensor([[True, True, False], [False, False, False], [True, True, True]])


def reference(x, y, target, frozen, phrases, scores, known, scale):
    divergences = []
    for i in range(len(x)):
        if known[i]:
            teacher = [scale * s for s in scores[i]]
            student = [scale * cosine(x[i], phrase) for phrase in phrases]
            for v in range(len(phrases)):
                log_p, log_q = -surprise(teacher, v), -surprise(student, v)
                divergences.append(math.exp(log_p) * (log_p - log_q))
    return {
        "images": mean([1 - cosine(a, b) for a, b in zip(x, target, strict=True)]),
        "texts": mean([1 - cosine(a, b) for a, b in zip(y, frozen, strict=True)]),
        "phrases": sum(divergences) / sum(known),
    }


def test_it_is_the_formula() -> None:
    x, y, phrases = draw(4, 5), draw(4, 5, seed=1), draw(6, 5, seed=2)
    target, frozen, scores = (draw(4, d, seed=3 + d).detach() for d in (5, 5, 6))

    def loss(x, y, phrases):
        weights = {"image_weight": 2.0, "text_weight": 3.0, "phrase_weight": 0.5}
        return distillation(x, y, target, frozen, phrases, scores, KNOWN, 3.0, **weights)

    constants = (v.tolist() for v in (x, y, target, frozen, phrases, scores, KNOWN))
    expected = reference(*constants, 3.0)
    expected["loss"] = 2 * expected["images"] + 3 * expected["texts"] + expected["phrases"] / 2
    got = {name: term.item() for name, term in loss(x, y, phrases).items()}
    assert got == pytest.approx(expected, abs=1e-10)
    assert gradcheck(lambda *v: loss(*v)["loss"], (x, y, phrases))


def test_a_student_that_is_its_teacher_has_nothing_to_learn() -> None:
    x, y, phrases = draw(4, 5), draw(4, 5, seed=1), draw(6, 5, seed=2)
    scores = normalize(x, dim=1) @ normalize(phrases, dim=1).T
    got = distillation(x, y, x, y, phrases, scores, torch.ones(4, dtype=torch.bool), 50.0)
    assert got["loss"].item() == pytest.approx(0, abs=1e-10)


def test_images_unknown_to_the_teacher_learn_no_phrases() -> None:
    x, phrases = draw(4, 5), draw(6, 5, seed=2)
    constants = draw(4, 5, seed=3), draw(4, 5, seed=4), draw(4, 5, seed=5)
    none = torch.zeros(4, dtype=torch.bool)
    got = distillation(x, *constants, phrases, draw(4, 6, seed=6), none, 50.0)
    got["phrases"].backward()
    assert got["phrases"].item() == 0
    assert not x.grad.any()


def test_constants_get_no_gradient() -> None:
    x, y, target, frozen = (draw(4, 5, seed=s) for s in range(4))
    scores = draw(4, 6, seed=5)
    distillation(x, y, target, frozen, draw(6, 5), scores, KNOWN, 5.0)["loss"].backward()
    assert target.grad is frozen.grad is scores.grad is None


def test_permuted_captions_leave_the_image_side_as_it_is() -> None:
    """Targets and scores are made without captions; what an image learns does not change."""
    whole, crops, phrases = draw(3, 5), draw(3, 3, 5, seed=1), draw(6, 5, seed=2)
    captions, order = draw(3, 5, seed=3), torch.tensor([2, 0, 1])
    got, learnt = [], []
    for texts in (captions, captions[order]):
        x = draw(3, 5, seed=4)
        target = region_target(whole, crops, MASK)
        scores = region_scores(crops, MASK, phrases)
        known = MASK.any(dim=1)
        terms = distillation(x, texts, target, captions.detach(), phrases, scores, known, 9.0)
        learnt += torch.autograd.grad(terms["loss"], x)
        got.append((target, scores, terms["images"], terms["phrases"]))
    assert all(torch.equal(a, b) for a, b in zip(*got, strict=True))
    assert torch.equal(*learnt)


def test_noise_for_regions_finds_no_captions() -> None:
    """What the teacher of DCLIP fails (`test_dclip.py`): chance is 1 in 200."""
    torch.manual_seed(0)
    captions = normalize(torch.randn(200, 512) + 2 * torch.randn(512), dim=1)
    valid = torch.ones(200, 6, dtype=torch.bool)
    target = region_target(torch.randn(200, 512), torch.randn(200, 6, 512), valid)
    found = (target @ captions.T).argmax(dim=1) == torch.arange(200)
    assert found.float().mean() < 0.03


def test_the_target_is_half_the_image_and_half_its_regions() -> None:
    whole, crops = draw(3, 5), draw(3, 3, 5, seed=1)
    got = region_target(whole, crops.masked_fill(~MASK[..., None], torch.nan), MASK).tolist()
    for i, image in enumerate(whole.tolist()):
        image = [v / math.hypot(*image) for v in image]
        units = [
            [v / math.hypot(*crop) for v in crop]
            for crop, valid in zip(crops[i].tolist(), MASK[i], strict=True)
            if valid
        ]
        inside = [mean(column) for column in zip(*units, strict=True)]
        length = math.hypot(*inside) if inside else 0.0
        both = [a + b / length for a, b in zip(image, inside, strict=True)] if length else image
        assert got[i] == pytest.approx([v / math.hypot(*both) for v in both], abs=1e-10)


@pytest.mark.parametrize(("pooling", "pool"), [("mean", mean), ("max", max)])
def test_scores_pool_the_cosines_of_regions(pooling, pool) -> None:
    crops, phrases = draw(3, 3, 5), draw(4, 5, seed=1)
    got = region_scores(crops, MASK, phrases, pooling).tolist()
    for i in (0, 2):
        valid = [crop for crop, kept in zip(crops[i].tolist(), MASK[i], strict=True) if kept]
        expected = [pool([cosine(crop, phrase) for crop in valid]) for phrase in phrases.tolist()]
        assert got[i] == pytest.approx(expected, abs=1e-10)
    assert len(set(got[1])) == 1  # no region: the same for all phrases
    assert region_scores(crops[:, :0], MASK[:, :0], phrases, pooling).shape == (3, 4)


def test_another_pooling_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(DataError, match="'mean' or 'max', got 'sum'"):
        region_scores(draw(3, 3, 5), MASK, draw(4, 5), "sum")
