"""What every registered head keeps to."""

from inspect import signature

import pytest
import torch

from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS, Head, load_head, save_head

N, D, C = 24, 16, 4


@pytest.fixture(params=list(HEADS))
def name(request) -> str:
    return request.param


@pytest.fixture
def support() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    centres = unit_norm(torch.randn(C, D, generator=generator))
    labels = torch.arange(N) % C
    features = unit_norm(centres[labels] + 0.1 * torch.randn(N, D, generator=generator))
    return features, labels, centres


def make(name: str) -> Head:
    return HEADS.get(name)()


def test_it_goes_by_its_registered_name(name) -> None:
    assert HEADS.get(name).name == name
    assert HEADS.get(name).__module__.endswith(name.replace("-", "_").replace("+", "p"))


def test_init_only_keeps_its_arguments(name) -> None:
    parameters = signature(HEADS.get(name)).parameters
    assert all(p.default is not p.empty for p in parameters.values())
    assert vars(make(name)) == {key: p.default for key, p in parameters.items()}


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
    alone = torch.cat([head.logits(row[None]) for row in support[0]])
    torch.testing.assert_close(alone, head.logits(support[0]), atol=1e-4, rtol=1e-4)


def test_logits_before_fit_are_an_error(name, support) -> None:
    with pytest.raises(UsageError, match="fit"):
        make(name).logits(support[0])


def test_a_file_keeps_it(name, support, tmp_path) -> None:
    head = make(name).fit(*support)
    save_head(tmp_path / "head.safetensors", head)
    loaded = load_head(tmp_path / "head.safetensors").head
    assert torch.equal(loaded.logits(support[0]), head.logits(support[0]))


def test_features_of_another_width_are_refused(name, support, unchecked) -> None:
    head = make(name).fit(*support)
    with pytest.raises(DataError, match=f"{D}.*{D + 1}"):
        head.logits(torch.ones(2, D + 1))


def test_one_image_of_a_class_is_enough(name, support) -> None:
    features, labels, weights = support
    rows = (labels > 0) | (torch.arange(N) == 0)
    logits = make(name).fit(features[rows], labels[rows], weights).logits(features)
    assert torch.isfinite(logits).all()


def test_a_class_without_a_image_is_one_sentence(name, support) -> None:
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
