"""Classes with several names: each name makes texts, and they are averaged."""

from dataclasses import replace

import torch

from clipfg.prompting import PromptSet, sentences_for
from clipfg.prompting.ensembling import ensemble_mean
from clipfg.prompting.rendering import names_used
from clipfg.types import ClassList

CLASSES = ClassList(
    ("blue jay", "mallard"),
    texts={"blue jay": ("a crest",)},
    synonyms={
        "latin": {"blue jay": "Cyanocitta cristata", "mallard": "Anas platyrhynchos"},
        "de": {"mallard": "Stockente"},
    },
)
PROMPTS = PromptSet("p", ("a photo of {a}.", "{}", "{text}"))


def test_every_name_is_rendered_and_kinds_are_templates_of_their_own() -> None:
    sentences = sentences_for(PROMPTS, CLASSES)
    assert list(
        zip(sentences.owners.tolist(), sentences.templates.tolist(), sentences.texts, strict=True)
    ) == [
        (0, 0, "a photo of a blue jay."),
        (0, 1, "blue jay"),
        (0, 2, "a crest"),
        (0, 3, "a photo of a Cyanocitta cristata."),
        (0, 4, "Cyanocitta cristata"),
        (1, 0, "a photo of a mallard."),
        (1, 1, "mallard"),
        (1, 3, "a photo of an Anas platyrhynchos."),
        (1, 4, "Anas platyrhynchos"),
        (1, 6, "a photo of a Stockente."),
        (1, 7, "Stockente"),
    ]


def test_the_weight_is_the_mean_of_all_names() -> None:
    sentences = sentences_for(PromptSet("p", ("{}",)), CLASSES)
    features = torch.nn.functional.normalize(torch.randn(len(sentences), 8), dim=1)
    weights = ensemble_mean(features, torch.from_numpy(sentences.owners))
    for owner in range(2):
        own = [f for f, o in zip(features, sentences.owners, strict=True) if o == owner]
        mean = torch.stack(own).mean(dim=0)
        torch.testing.assert_close(weights[owner], mean / mean.norm())


def test_silent_names_make_no_texts() -> None:
    quiet = replace(CLASSES, silent=("latin",))
    texts = sentences_for(PROMPTS, quiet).texts
    assert "Stockente" in texts
    assert "Anas platyrhynchos" not in texts
    assert "latin" not in names_used(quiet)


def test_reports_say_which_names_are_used() -> None:
    assert "latin, de" in names_used(CLASSES)
    assert names_used(ClassList(("a", "b"))) == ""
