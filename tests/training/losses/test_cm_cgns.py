import pytest
import torch
from torch.autograd import gradcheck

from clipfg.errors import DataError
from clipfg.training.losses.centroids import Centroids
from clipfg.training.losses.cm_cgns import align_patches, align_sentences, cm_cgns, reconstruct
from tests.training.losses.plain import cosine, draw, mean, surprise
from tests.training.losses.test_contrastive import reference as contrastive

CENTROIDS = Centroids(draw(3, 4, seed=9).detach())


def reference(sentences, seen, centroids, form, scale):
    n = range(len(sentences))
    order = [
        sorted(range(len(centroids)), key=lambda c: -cosine(s, centroids[c])) for s in sentences
    ]
    losses, margins = [], []
    for i in n:
        suspected = [j for j in n if j != i and order[j][0] == order[i][0]]
        kept = [j for j in n if form == "margin" or j not in suspected]
        scores = [scale * cosine(sentences[i], seen[j]) for j in kept]
        scores.append(3 * scale * cosine(sentences[i], centroids[order[i][1]]))
        losses.append(surprise(scores, kept.index(i)))
        for j in suspected:
            apart = cosine(sentences[i], seen[j]) - cosine(sentences[i], seen[i])
            margins.append(max(0, apart + 0.2) + max(0, -apart - 0.5))
    return mean(losses) + (0.7 * mean(margins) if form == "margin" else 0)


@pytest.mark.parametrize("form", ["mask", "margin"])
def test_sentences_are_aligned_by_the_formula(form) -> None:
    x, y, scale = draw(7, 4), draw(7, 4, seed=1), torch.tensor(2.0, dtype=torch.float64)

    def loss(x, y, scale):
        return align_sentences(x, y, scale, CENTROIDS, form, margin_weight=0.7)

    expected = reference(x.tolist(), y.tolist(), CENTROIDS.rows.tolist(), form, 2.0)
    assert loss(x, y, scale).item() == pytest.approx(expected, abs=1e-10)
    assert gradcheck(loss, (x, y, scale.requires_grad_()))


def test_before_the_centroids_start_it_is_infonce() -> None:
    x, y = draw(5, 4), draw(5, 4, seed=1)
    rows = [[cosine(a, b) for b in y.tolist()] for a in x.tolist()]
    expected = mean([surprise(row, i) for i, row in enumerate(rows)])
    assert align_sentences(x, y).item() == pytest.approx(expected, abs=1e-10)


def test_masked_pairs_of_a_cluster_teach_nothing() -> None:
    """All in one cluster: a sentence is told from its hard negative alone."""
    x, y = draw(4, 4).abs(), draw(4, 4, seed=1)
    one = Centroids(torch.stack([torch.ones(4), -torch.ones(4)]).double())
    loss = align_sentences(x, y, centroids=one)
    grad = torch.autograd.grad(loss, y)[0]
    alone = [align_sentences(x[i : i + 1], y[i : i + 1], centroids=one) for i in range(4)]
    expected = torch.autograd.grad(torch.stack(alone).mean(), y)[0]
    torch.testing.assert_close(grad, expected)


def test_another_form_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(DataError, match="'mask' or 'margin', got 'drop'"):
        align_sentences(draw(2, 4), draw(2, 4), 1.0, CENTROIDS, "drop")


def test_patches_are_aligned_by_the_formula() -> None:
    patches, read, p, q = (draw(2, 3, 4, seed=s) for s in range(4))
    rows = [v.flatten(0, 1).tolist() for v in (patches, read, p, q)]
    there = [1 - cosine(a, b) for a, b in zip(rows[2], rows[1], strict=True)]
    back = [1 - cosine(a, b) for a, b in zip(rows[3], rows[0], strict=True)]
    loss = align_patches(patches, read, p, q)
    assert loss.item() == pytest.approx((mean(there) + mean(back)) / 2, abs=1e-10)
    loss.backward()
    assert patches.grad is read.grad is None
    assert gradcheck(lambda p, q: align_patches(patches, read, p, q), (p, q))


def test_reconstruction_is_the_mean_difference_of_dropped_patches() -> None:
    decoded, values = draw(2, 3, 4), draw(2, 3, 4, seed=1)
    dropped = torch.tensor([[True, False, True], [False, False, True]])
    expected = mean(
        [
            abs(decoded[b, p, v].item() - values[b, p, v].item())
            for b in range(2)
            for p in range(3)
            for v in range(4)
            if dropped[b, p]
        ]
    )
    assert reconstruct(decoded, values, dropped).item() == pytest.approx(expected, abs=1e-10)
    assert gradcheck(lambda x: reconstruct(x, values, dropped), (decoded,))
    assert reconstruct(decoded, values, dropped & False).item() == 0


@pytest.mark.parametrize("training", [True, False])
def test_the_loss_is_the_sum_of_its_terms(training) -> None:
    x, y = draw(3, 5), draw(3, 5, seed=1)
    patches = [draw(3, 2, 4, seed=s) for s in range(2, 6)]
    sentences, seen = draw(6, 4, seed=6), draw(6, 4, seed=7)
    rebuilt = torch.tensor(0.3, dtype=torch.float64) if training else None
    got = cm_cgns(x, y, *patches, sentences, seen, 8.0, centroids=CENTROIDS, reconstruction=rebuilt)
    rows = CENTROIDS.rows.tolist()
    expected = contrastive(x.tolist(), y.tolist(), 8)
    expected += align_patches(*patches).item()
    expected += reference(sentences.tolist(), seen.tolist(), rows, "mask", 1)
    expected += 10 * 0.3 * training
    assert got["loss"].item() == pytest.approx(expected, abs=1e-10)
    assert ("reconstruction" in got) == training
