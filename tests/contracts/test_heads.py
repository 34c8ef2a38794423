"""What every registered head must do, whatever it takes features as.

A small head that takes patches is tested along. Those that
learn with an encoder are in `test_encoder_heads.py`.
"""

from inspect import signature
from itertools import pairwise

import numpy as np
import pytest
import torch

from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS, FeatureSets, Head, load_head, save_head
from clipfg.types import Features, Patches

N, D, C = 24, 16, 4
OWN = {"patch-mean": "PatchMean"}


@pytest.fixture(params=[name for name in HEADS if not HEADS.get(name).needs_encoder] + [*OWN])
def name(request, monkeypatch) -> str:
    if request.param in OWN:
        module = f"tests.contracts.{request.param.replace('-', '_')}"
        targets = HEADS._targets | {request.param: f"{module}:{OWN[request.param]}"}
        monkeypatch.setattr(HEADS, "_targets", targets)
    if request.param == "patch-prototypes":  # fewer steps
        kind = HEADS.get(request.param)
        few = {"prototypes": 24, "pretraining": 40, "steps": 120}
        own = tuple(few.get(key, p.default) for key, p in signature(kind).parameters.items())
        monkeypatch.setattr(kind.__init__, "__defaults__", own)
    return request.param


@pytest.fixture
def support(name) -> tuple[torch.Tensor | FeatureSets, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = unit_norm(torch.randn(C, D, generator=generator))
    labels = torch.arange(N) % C
    noise = torch.randn(N, D, generator=generator)
    features = unit_norm(centres[labels] + 0.1 * noise)
    return as_consumed(name, features), labels, centres


def as_consumed(name: str, features: torch.Tensor) -> torch.Tensor | FeatureSets:
    """Features `[n, d]` as the head takes them, with two to four parts around each of them."""
    consumes = HEADS.get(name).consumes
    if consumes == "pooled":
        return features
    counts = np.arange(len(features)) % 3 + 2
    rows = features.repeat_interleave(torch.from_numpy(counts), dim=0)
    parts = rows + 0.05 * torch.randn(rows.shape, generator=torch.Generator().manual_seed(1))
    if consumes == "patches":
        grids = np.stack([counts, np.ones_like(counts)], axis=1)
        patches = Patches(parts.half().numpy(), grids)
        ids = tuple(map(str, range(len(features))))
        labels = np.zeros(len(features))
        return FeatureSets.of_patches(Features(ids, features.numpy(), labels, patches=patches))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    ids = tuple(map(str, range(len(parts))))
    whole = Features(ids, parts.numpy(), np.zeros(len(parts)), bag_offsets=offsets)
    return FeatureSets.of_bags(whole)


def make(name: str) -> Head:
    kind = HEADS.get(name)
    return kind(steps=40) if kind.consumes == "bags" else kind()


def test_it_goes_by_its_registered_name(name) -> None:
    assert HEADS.get(name).name == name
    assert HEADS.get(name).__module__.endswith(name.replace("-", "_").replace("+", "p"))


def test_init_only_keeps_its_arguments(name) -> None:
    parameters = signature(HEADS.get(name)).parameters
    assert all(p.default is not p.empty for p in parameters.values())
    assert vars(HEADS.get(name)()) == {key: p.default for key, p in parameters.items()}


def test_fit_returns_itself_and_logits_score_every_class(name, support) -> None:
    features, labels, weights = support
    head = make(name)
    assert head.fit(features, labels, weights) is head
    logits = head.logits(features)
    assert logits.shape == (N, C)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()
    assert (logits.argmax(1) == labels).float().mean() > 0.9


def test_the_same_support_gives_the_same_head(name, support) -> None:
    first, second = (make(name).fit(*support).logits(support[0]) for _ in range(2))
    assert torch.equal(first, second)


def test_an_item_is_scored_the_same_alone_and_in_a_batch(name, support) -> None:
    head = make(name).fit(*support)
    alone = torch.cat([head.logits(support[0][i : i + 1]) for i in range(N)])
    torch.testing.assert_close(alone, head.logits(support[0]), atol=1e-4, rtol=1e-4)


def test_logits_before_fit_are_an_error(name, support) -> None:
    with pytest.raises(UsageError, match="fit"):
        make(name).logits(support[0])


def test_it_survives_saving_and_loading(name, support, tmp_path) -> None:
    head = make(name).fit(*support)
    save_head(tmp_path / "head.safetensors", head)
    loaded = load_head(tmp_path / "head.safetensors").head
    assert torch.equal(loaded.logits(support[0]), head.logits(support[0]))


def test_features_of_another_width_are_refused(name, support, unchecked) -> None:
    head = make(name).fit(*support)
    with pytest.raises(DataError, match=f"{D}.*{D + 1}"):
        head.logits(as_consumed(name, torch.ones(2, D + 1)))


def test_only_the_direction_of_rows_counts(name, support) -> None:
    head = make(name).fit(*support)
    if head.consumes != "pooled":
        pytest.skip("takes sets of rows")
    longer = torch.linspace(0.1, 9, N)[:, None] * support[0]
    torch.testing.assert_close(head.logits(longer), head.logits(support[0]), rtol=1e-3, atol=1e-3)


def test_rows_without_a_direction_are_refused(name, support) -> None:
    head = make(name).fit(*support)
    if head.consumes != "pooled":
        pytest.skip("takes sets of rows")
    for value in (0.0, torch.nan, torch.inf):
        with pytest.raises(DataError, match="finite, non-zero rows"):
            head.logits(torch.full((2, D), value))


def test_one_image_of_a_class_is_enough(name, support) -> None:
    features, labels, weights = support
    rows = (labels > 0) | (torch.arange(N) == 0)
    logits = make(name).fit(features[rows], labels[rows], weights).logits(features)
    assert torch.isfinite(logits).all()


def test_a_class_without_an_image_is_reported(name, support) -> None:
    if name == "zero-shot":
        pytest.skip("learns from no image")
    features, labels, weights = support
    with pytest.raises(DataError, match="got none of class 2"):
        make(name).fit(features[labels != 2], labels[labels != 2], weights)


def test_refitting_keeps_the_settings_and_leaves_the_head_alone(name, support) -> None:
    features, labels, weights = support
    head = make(name).fit(features, labels, weights)
    before = head.logits(features)
    other = head.refit(features[4:], labels[4:], weights)
    assert type(other) is type(head)
    assert torch.equal(head.logits(features), before)
    assert other.logits(features[:4]).shape == (4, C)
    again = head.refit(features, labels, weights)
    torch.testing.assert_close(again.logits(features), before, atol=1e-4, rtol=1e-4)
    for key, value in head.config.items():
        chosen = getattr(head, f"{key}_", value)
        if not isinstance(chosen, torch.Tensor):
            assert getattr(other, key) == chosen or name == "auto"


def test_sets_of_features_are_selected_as_rows_are() -> None:
    rows, offsets = torch.randn(9, 3), torch.tensor([0, 2, 2, 5, 9])
    grids = torch.tensor([[1, 2], [0, 0], [3, 1], [2, 2]])
    sets = FeatureSets(rows, offsets, grids)
    lists = [rows[a:b] for a, b in pairwise(offsets.tolist())]
    for which in (slice(1, 3), torch.tensor([3, 0, 0]), torch.tensor([True, False, True, False])):
        picked = torch.arange(4)[which].tolist()
        found = sets[which]
        assert len(found) == len(picked)
        assert torch.equal(found.rows, torch.cat([lists[i] for i in picked]))
        assert found.offsets.diff().tolist() == [len(lists[i]) for i in picked]
        assert torch.equal(found.grids, grids[picked])


def test_features_without_patches_or_bags_are_reported() -> None:
    pooled = Features(("a",), np.ones((1, 3), np.float32), np.zeros(1))
    with pytest.raises(DataError, match="with patches"):
        FeatureSets.of_patches(pooled)
    with pytest.raises(DataError, match="in bags"):
        FeatureSets.of_bags(pooled)
