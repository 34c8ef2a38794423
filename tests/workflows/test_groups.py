"""Boxes of one picture are never on both sides of a split, and no copies of one another."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import clipfg
from clipfg.heads.ape import APE
from clipfg.heads.ape_t import APET
from clipfg.heads.support import Support
from clipfg.heads.tip_adapter import TipAdapter
from clipfg.heads.tip_adapter_f import TipAdapterF
from clipfg.options import FewshotOptions, resolve
from clipfg.types import Manifest
from clipfg.workflows.fewshot.heads import HeadSet, HeadSpec
from clipfg.workflows.fewshot.trials import by_folds
from clipfg.workflows.protocol.splits import open_support_and_test
from clipfg.workflows.protocol.support_sets import hold_out
from clipfg.workflows.session import Session
from clipfg.workflows.suggest.probabilities import CalibratedClassifier

PICTURES, BOXES = 16, 4
MODEL = {"model": "builtin:florette", "precision": "fp32"}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of noise, whose labels are drawn by chance, with nearly the same box four times."""
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(PICTURES) % 2)
    lines = ["path,label,x0,y0,x1,y1"]
    for number, label in enumerate(labels):
        noise = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        noise.resize((160, 160), Image.Resampling.NEAREST).save(folder / f"{number}.png")
        for box in ("20,20,130,130", "26,22,134,128", "24,28,128,136", "30,24,138,130"):
            lines.append(f"{number}.png,{'ab'[label]},{box}")
    (folder / "boxes.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(autouse=True)
def cache(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPFG_CACHE_DIR", str(scenes / "cache"))


def test_cross_validation_learns_nothing_from_noise(scenes: Path, tmp_path: Path) -> None:
    """Labels are chance: whoever answers better has seen another box of the picture."""
    run = clipfg.fewshot(
        own_labels=str(scenes / "boxes.csv"),
        heads="knn,whitened-mean,tip-adapter,tip-adapter-f,ape,ape-t,prolip",
        output=tmp_path / "run",
        calibration="split",
        save=tmp_path / "head.safetensors",
        **MODEL,
    )
    found = {row["head"]: row["top1"] for row in run.rows()}
    assert len(found) == 8
    assert max(found.values()) < 0.75, found


@pytest.mark.parametrize("head", [TipAdapter, TipAdapterF, APE, APET])
def test_four_boxes_of_one_picture_are_one_shot(head: type[TipAdapter | APE]) -> None:
    """Nothing tells of another picture: strengths are the papers', as with one image a class."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(5, 8, generator=generator).repeat_interleave(4, dim=0)
    x = x + 0.5 * torch.randn(20, 8, generator=generator)
    labels = torch.arange(5).repeat_interleave(4)
    texts = torch.randn(5, 8, generator=generator)
    alone = head().fit(x, labels, texts)
    together = head().fit(x, labels, texts, groups=labels)
    assert (together.alpha_, together.beta_) == (1.0, 5.5)
    assert (alone.alpha_, alone.beta_) != (1.0, 5.5)


def test_a_half_has_whole_pictures(scenes: Path) -> None:
    options = resolve(FewshotOptions, {"dataset": str(scenes / "boxes.csv"), **MODEL})
    with Session(options) as session:
        roles = open_support_and_test(session)
    assert roles.test is not None
    assert not {*roles.support.manifest.uris} & {*roles.test.manifest.uris}
    assert len(roles.test) == len(roles.support) == PICTURES * BOXES // 2


def test_halves_of_groups_and_of_single_items() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    groups = np.array([5, 5, 6, 6, 5, 7, 7, 7])
    for seed in range(8):
        held = hold_out(labels, seed, groups)
        assert not {*groups[held]} & {*groups[~held]}
        assert {*labels[~held]} == {0, 1}
        assert held.any()
    assert hold_out(labels, 0).sum() == 4


def test_what_cannot_be_held_out_is_not_judged() -> None:
    """The only picture of a class stays in training, with all that is in it."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 5, generator=generator)
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    groups = torch.tensor([0, 1, 1, 2, 3, 9, 4, 4, 5, 6, 9, 9])
    support = Support.of("test", x, labels, None, groups=groups)
    specs = (HeadSpec("class-mean"), HeadSpec("linear-probe"))
    found = by_folds(HeadSet(specs, specs[0]), support, (0, 1, 2))
    assert found.rows.tolist() == support.held_out((0, 1, 2)).tolist() == [*range(5), *range(6, 10)]
    assert all(trial.predictions.shape[1] == len(found.rows) for trial in found.trials)
    assert found.logits.abs().sum(dim=1).min() > 0


def test_a_temperature_is_told_from_other_pictures() -> None:
    """Four boxes of each of twelve pictures, labels by chance: sure answers would be wrong."""
    generator = torch.Generator().manual_seed(3)
    pictures = torch.randn(12, 8, generator=generator).repeat_interleave(4, dim=0)
    x = pictures + 0.01 * torch.randn(48, 8, generator=generator)
    labels = (torch.arange(12) % 2).repeat_interleave(4)
    groups = torch.arange(12).repeat_interleave(4)
    alone = CalibratedClassifier.of(x, labels)
    together = CalibratedClassifier.of(x, labels, groups=groups)
    sure = [one.probabilities(x).amax(dim=1).mean() for one in (alone, together)]
    assert sure[0] > 0.8
    assert sure[1] < 0.65, sure


def test_boxes_of_a_picture_are_no_copies(scenes: Path, tmp_path: Path) -> None:
    for crop in ("tight", "whole"):
        run = clipfg.lint(
            str(scenes / "boxes.csv"), crop=crop, output=tmp_path / crop, html=False, **MODEL
        )
        kinds = {finding.kind for finding in run.findings}
        assert not {kind for kind in kinds if kind.endswith(("copy", "leak", "contradiction"))}


def test_groups_of_a_manifest() -> None:
    uris = ["b", "a", "b", "c"]
    boxed = Manifest.build("x", {"id": ["1", "2", "3", "4"], "uri": uris})
    assert boxed.groups is not None
    assert boxed.groups.tolist() == [0, 1, 0, 2]
    assert boxed.select(limit=2).groups is None
