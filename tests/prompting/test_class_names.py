import torch

from clipfg.functional.similarity import unit_norm
from clipfg.prompting.class_names import lint_class_names


def test_duplicate_names_are_an_error() -> None:
    (found,) = lint_class_names(["Brewer's Sparrow", "owl", "brewer_sparrow", "crow"])
    assert (found.level, found.where) == ("error", "brewer_sparrow")
    assert "Brewer's Sparrow" in found.what


def test_similar_names_are_reported_once() -> None:
    features = unit_norm(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
    (found,) = lint_class_names(["fish crow", "crow", "owl"], features)
    assert {found.where, "fish crow", "crow"} == {"fish crow", "crow"}
    assert "0.995" in found.what
    assert not lint_class_names(["crow"], features[:1])


def test_names_that_are_truncated() -> None:
    long = "a " * 90
    (found,) = lint_class_names([long, "owl"])
    assert "about 92 tokens" in found.what
    assert not lint_class_names([long, "owl"], None, lambda texts: [3 for _ in texts], 77)
