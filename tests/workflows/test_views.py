"""Several views of an image, through the jobs."""

from pathlib import Path

import numpy as np
import pytest
import torch

import clipfg
from clipfg.embedding.batches import FeatureBatch
from clipfg.embedding.views import Views
from clipfg.encoders.preprocessing import Preprocessing
from clipfg.errors import UsageError
from clipfg.workflows.scored_views import CenterHits, surest

DATA = {"dataset": "synthflora", "limit": 24}
MODEL = {"model": "builtin:florette", "precision": "fp32"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(autouse=True)
def kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPFG_CACHE_DIR", str(cache))


def test_center_is_what_happens_anyway(tmp_path: Path) -> None:
    plain = clipfg.zeroshot(**DATA, **MODEL, output=tmp_path / "a")
    center = clipfg.zeroshot(**DATA, **MODEL, views="center", output=tmp_path / "b")
    assert center.report.metrics == plain.report.metrics
    assert center.report.remarks == plain.report.remarks


@pytest.mark.parametrize("pooling", ["mean", "surest"])
def test_the_report_says_what_views_cost_and_gain(tmp_path: Path, pooling: str) -> None:
    run = clipfg.zeroshot(
        **DATA, **MODEL, views="center+tiles", view_pooling=pooling, output=tmp_path / "run"
    )
    assert run.done == 24
    plain = clipfg.zeroshot(**DATA, **MODEL, output=tmp_path / "plain").report
    gain = run.report.metrics["top1"].value - plain.metrics["top1"].value
    said = run.report.remarks[-1]
    assert said.startswith("Views: center+tiles, 5 forward passes an image instead of 1: top-1")
    assert f"top-1 {100 * gain:+.1f} points (" in said
    alone = clipfg.zeroshot(**DATA, **MODEL, views="tiles", output=tmp_path / "tiles")
    assert alone.report.remarks[-1] == "Views: tiles, 4 forward passes an image instead of 1."


def test_a_head_remembers_its_views(tmp_path: Path) -> None:
    head = tmp_path / "head.safetensors"
    clipfg.fewshot(
        "synthflora", **MODEL, within="windmill", shots="2", seeds=1, heads="class-mean",
        views="center+tiles", save=head, output=tmp_path / "learnt",
    )  # fmt: skip
    probabilities = {}
    for name, given in {"own": {}, "same": {"views": "center+tiles"}}.items():
        rows = clipfg.predict(
            dataset="synthflora", limit=20, **MODEL, head=head, output=tmp_path / name, **given
        ).rows()
        probabilities[name] = [row["probability"] for row in rows]
    assert probabilities["own"] == probabilities["same"]
    center = clipfg.predict(
        dataset="synthflora", limit=20, **MODEL, head=head, views="center", output=tmp_path / "c"
    ).rows()
    assert [row["probability"] for row in center] != probabilities["own"]


def test_features_have_no_views_and_nor_do_regions(tmp_path: Path) -> None:
    features = tmp_path / "f.npz"
    clipfg.embed("synthflora", **MODEL, limit=5, output=features)
    with pytest.raises(UsageError, match="--views needs images"):
        clipfg.embed(f"features:{features}", views="tiles", output=tmp_path / "g.npz")
    with pytest.raises(UsageError, match="--boxes-as crop"):
        clipfg.embed(
            "synthflora", **MODEL, limit=5, regions=True, views="tiles", output=tmp_path / "g.npz"
        )


def test_surest_says_what_it_needs(tmp_path: Path) -> None:
    more = {**MODEL, "view_pooling": "surest", "output": tmp_path / "run"}
    for views in (None, "center", "tiles", "tiles+ten-crop"):
        with pytest.raises(UsageError, match="give --views"):
            clipfg.zeroshot(**DATA, **more, views=views)
    with pytest.raises(UsageError, match="one prompt set"):
        clipfg.zeroshot(**DATA, **more, views="center+tiles", prompts="photo,name")
    with pytest.raises(UsageError, match="needs 20 of them, got 3"):
        clipfg.zeroshot("synthflora", limit=3, **more, views="center+tiles")


def batches_of(features: torch.Tensor, labels: torch.Tensor) -> list[FeatureBatch]:
    found = []
    for rows in torch.arange(len(features)).split(7):
        own = features[rows].numpy()
        ids = tuple(str(int(row)) for row in rows)
        found.append(FeatureBatch(rows.numpy(), ids, own[:, 0], labels[rows].numpy(), 0, views=own))
    return found


def test_planted_background_does_not_win_and_a_clear_crop_does() -> None:
    views = Views.of("center+attention-crop+squash", Preprocessing((8, 8)))
    assert views is not None
    noise = torch.Generator().manual_seed(0)
    classes = torch.eye(6, 16)
    labels = torch.arange(60) % 5
    ground = classes[5] + 0.05 * torch.randn(60, 16, generator=noise)
    clear = classes[labels] + 0.2 * torch.randn(60, 16, generator=noise)
    blurred = clear + 0.5 * torch.randn(60, 16, generator=noise)
    features = torch.stack([blurred, clear, clear], dim=1)
    features[::3, 1:] = ground[::3, None]  # crops of the ground alone, which has a name too
    features = torch.nn.functional.normalize(features, dim=-1)
    logits = lambda given: 10 * given @ classes.T  # noqa: E731
    hits = CenterHits(views, logits)
    answers, won = [], []
    for batch, factors in surest(iter(batches_of(features, labels)), views, logits):
        scores = logits(torch.from_numpy(batch.vectors)) * factors[:, None]
        hits.update(batch, scores)
        answers.append(scores.argmax(dim=1))
        won.append((batch.vectors == batch.views[:, 0]).all(axis=1))
    assert np.concatenate(won)[::3].all()
    assert not np.concatenate(won).all()
    centers = logits(features[:, 0]).argmax(dim=1)
    gain = (torch.cat(answers) == labels).float().mean() - (centers == labels).float().mean()
    assert gain > 0
    assert f"top-1 {100 * float(gain):+.1f} points" in hits.remark()
