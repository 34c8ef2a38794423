"""What every head must do that learns with an encoder, over a tiny one."""

import json
from dataclasses import replace
from inspect import signature

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from clipfg.errors import DataError, UsageError
from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS, load_head, save_head
from clipfg.heads.base import Images
from clipfg.heads.items import Items
from clipfg.heads.support import Support
from clipfg.options import FewshotOptions
from clipfg.prompting.ensembling import make_ensemble
from clipfg.prompting.rendering import Sentences
from clipfg.training.heads import Base
from clipfg.workflows.fewshot.heads import HeadSet, HeadSpec
from clipfg.workflows.fewshot.run import run_fewshot
from clipfg.workflows.fewshot.trials import by_folds, by_shots
from clipfg.workflows.protocol.support_sets import Shots, draw_supports
from tests.training import material
from tests.workflows.jobs import job

N, C, STEPS = 12, 3, 12
COLOURS = {"red flower": (200, 30, 30), "blue bird": (30, 30, 200), "green leaf": (30, 180, 30)}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return material.opened(material.tiny_clip(tmp_path_factory.mktemp("heads") / "clip"))


@pytest.fixture(scope="module")
def base(encoder) -> Base:
    texts = [(c, 0, f"a photo of a {name}.") for c, name in enumerate(COLOURS)]
    return Base(encoder, tuple(COLOURS), Sentences.of(texts), make_ensemble("mean"))


@pytest.fixture(params=[name for name in HEADS if HEADS.get(name).needs_encoder])
def name(request, monkeypatch) -> str:
    """Few steps, wherever the head is made."""
    defaults = {"most_steps": STEPS, "seed": 0}
    kind = HEADS.get(request.param)
    own = tuple(defaults.get(k, p.default) for k, p in signature(kind).parameters.items())
    monkeypatch.setattr(kind.__init__, "__defaults__", own)
    return request.param


LABELS = torch.arange(N) % C


def pictures(seed: int = 0) -> Images:
    """Noise around a colour for each class."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(-25, 25, (N, 3, 32, 32), generator=generator)
    centres = torch.tensor(list(COLOURS.values()))[LABELS][:, :, None, None]
    return Images((centres + noise).clamp(0, 255).to(torch.uint8), torch.arange(N))


def given(name: str, encoder, images: Images):
    if HEADS.get(name).consumes == "images":
        return images
    return unit_norm(encoder.encode_images(images.load()).pooled)


def test_it_goes_by_its_name_and_init_keeps_its_arguments(name) -> None:
    kind = HEADS.get(name)
    assert kind.name == name
    assert kind.__module__.endswith(name.replace("-", "_"))
    assert vars(kind()) == {key: p.default for key, p in signature(kind).parameters.items()}


def test_it_learns_the_same_each_time_and_scores_items_alone(name, encoder, base) -> None:
    x = given(name, encoder, pictures())
    head, again = (HEADS.get(name)().fit(x, LABELS, base=base) for _ in range(2))
    logits = head.logits(x)
    assert logits.shape == (N, C)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, again.logits(x))
    alone = torch.cat([head.logits(x[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(alone, logits[:3], atol=1e-3, rtol=1e-4)


def test_it_lowers_the_loss_of_its_support_and_leaves_the_encoder(name, encoder, base) -> None:
    images = pictures()
    x = given(name, encoder, images)
    features = unit_norm(encoder.encode_images(images.load()).pooled)
    texts = base.class_weights(base.encode_texts)
    cross_entropy = torch.nn.functional.cross_entropy
    before = cross_entropy(encoder.logit_scale * features @ texts.T, LABELS)
    logits = HEADS.get(name)().fit(x, LABELS, base=base).logits(x)
    assert cross_entropy(logits, LABELS) < before
    assert torch.equal(unit_norm(encoder.encode_images(images.load()).pooled), features)
    assert torch.equal(base.class_weights(base.encode_texts), texts)


def test_one_image_of_each_class_is_enough(name, encoder, base) -> None:
    x = given(name, encoder, pictures())
    logits = HEADS.get(name)(most_steps=2).fit(x[:C], LABELS[:C], base=base).logits(x)
    assert torch.isfinite(logits).all()


def test_what_it_lacks_is_said(name, encoder, base) -> None:
    x = given(name, encoder, pictures())
    with pytest.raises(UsageError, match="fit"):
        HEADS.get(name)().logits(x)
    with pytest.raises(UsageError, match="Expected an encoder"):
        HEADS.get(name)().fit(x, LABELS)
    with pytest.raises(DataError, match="got none of class 2"):
        HEADS.get(name)().fit(x[:2], LABELS[:2], base=base)


def test_it_is_saved_where_predict_can_open_it_else_the_recipe_is_named(
    name, encoder, base, tmp_path
) -> None:
    x, path = given(name, encoder, pictures()), tmp_path / "head.safetensors"
    head = HEADS.get(name)(most_steps=2).fit(x, LABELS, base=base)
    if head.consumes == "images":
        with pytest.raises(UsageError, match=f"finetune --recipe {name}"):
            save_head(path, head)
        assert not path.exists()
    else:
        save_head(path, head)
        assert torch.equal(load_head(path).head.logits(x), head.logits(x))


def trials(name: str, encoder, base: Base, test: Images):
    spec = HeadSpec(name)
    features = unit_norm(encoder.encode_images(pictures().load()).pooled)
    support = Support.of("test", features, LABELS, base.class_weights(base.encode_texts))
    support = replace(support, images=pictures())
    pool = Items(encoder.encode_images(test.load()).pooled, test)
    heads = HeadSet((spec,), spec, base=base)
    draws = draw_supports(LABELS.numpy(), (0,))
    return by_shots(heads, support, draws, (Shots(2),), (0,), pool), (heads, support)


def test_it_learns_the_same_whatever_it_is_tested_on(name, encoder, base) -> None:
    test = pictures(1)
    ((one,), head), _ = trials(name, encoder, base, test)
    ((other,), again), _ = trials(name, encoder, base, test[torch.arange(N).flip(0)[:5]])
    for key, value in head.fitted.items():
        same = torch.equal if torch.is_tensor(value) else lambda a, b: a == b
        assert same(value, again.fitted[key])
    assert np.array_equal(one.predictions[:, ::-1][:, :5], other.predictions)


def test_folds_are_predicted_by_what_was_not_trained_on_them(name, encoder, base) -> None:
    _, (heads, support) = trials(name, encoder, base, pictures(1))
    found = by_folds(heads, support, (0,))
    train, held = support.splits(0)[0]
    x = support.items[held].given_to(HEADS.get(name))
    alone = heads.fit(name, train, 0)[0].logits(x)
    torch.testing.assert_close(found.logits[held], alone)


# The whole command


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name, colour in COLOURS.items():
            place = root / split / name
            place.mkdir(parents=True)
            for number in range(2):
                pixels = np.clip(np.array(colour) + rng.integers(-25, 25, (40, 40, 3)), 0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.png")
    return root


def few(model, folder, output, **options):
    fixed = {"model": model, "shots": "1,2", "seeds": 1, "precision": "fp32", "offline": True}
    cache = {"cache_dir": output.parent / "cache", "prompts": "photo"}
    return job(
        run_fewshot,
        FewshotOptions,
        dataset=str(folder),
        output=output,
        **fixed | cache | options,
    )


def test_permuting_test_labels_changes_no_answer(name, encoder, folder, tmp_path) -> None:
    model = encoder.name
    run = few(model, folder, tmp_path / "run", heads=name)
    cells = json.loads((run.folder / "results.json").read_text())["cells"]
    assert [c["head"] for c in cells] == ["zero-shot", name, name]
    moved = tmp_path / "moved"
    names = list(COLOURS)
    for split in ("train", "test"):
        for place, own in enumerate(names):
            to = own if split == "train" else names[(place + 1) % C]
            target = moved / split / to
            target.mkdir(parents=True)
            for path in sorted((folder / split / own).iterdir()):
                (target / f"{own}-{path.name}").write_bytes(path.read_bytes())
    other = few(model, moved, tmp_path / "other", heads=name)

    def answers(done) -> np.ndarray:
        rows = pq.read_table(done.folder / "predictions.parquet").to_pylist()
        shares = [dict(zip(row["names"], row["probabilities"], strict=True)) for row in rows]
        return np.array(sorted([each[name] for name in names] for each in shares))

    np.testing.assert_allclose(answers(run), answers(other), atol=1e-5)


def test_what_such_a_head_cannot_do_is_refused_before_training(
    name, encoder, folder, tmp_path
) -> None:
    if HEADS.get(name).consumes == "images":
        with pytest.raises(UsageError, match="finetune --recipe"):
            few(encoder.name, folder, tmp_path / "a", heads=name, save=tmp_path / "head")
        with pytest.raises(UsageError, match="several views"):
            few(encoder.name, folder, tmp_path / "b", heads=name, views="center+tiles")
    with pytest.raises(UsageError, match="not calibrated"):
        few(encoder.name, folder, tmp_path / "c", heads=name, target_error=0.1)
    with pytest.raises(UsageError, match="by group"):
        few(encoder.name, folder, tmp_path / "d", heads=name, group_by="^(.+)$")
