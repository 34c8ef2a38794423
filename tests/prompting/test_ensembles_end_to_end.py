"""Every ensemble through the zero-shot head of each command, against a plain loop.

Class weights that are renormalised by mistake, or should be and are not, rarely change a
prediction, but they do change probabilities.
"""

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.encoders import Encoder, load_encoder
from clipfg.prompting import load_prompts
from clipfg.prompting.criteria import agreement
from clipfg.prompting.ensembling import make_ensemble
from clipfg.prompting.weighted import template_weights
from clipfg.types import ClassList

PROMPTS = "flowers+texts"
INDUCTIVE = ["mean", "sentences", "product", "waffle", "score-mean"]
INDUCTIVE += ["score-mean+waffle", "waffle+score-mean", "score-mean+product+sentences"]
WEIGHTED = ["weighted", "score-mean+weighted", "weighted+score-mean+waffle"]


@pytest.fixture(scope="module")
def classes() -> ClassList:
    """Three similar species, whose sentences agree to a different degree.

    The shorter a name, the more its sentences differ by what is around it.
    """
    whole = synthflora.classes()
    texts = [whole.texts[name] for name in (whole.names[0], whole.names[1], whole.names[120])]
    names = ("flower", whole.names[1], f"very {whole.names[2]} in the garden")
    return ClassList(names, texts={names[0]: texts[0] + texts[2], names[1]: texts[1][:1]})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, classes: ClassList) -> Path:
    """Two folders of drawn flowers, three images of each species, and the class list."""
    home = tmp_path_factory.mktemp("ensembles")
    for folder, numbers in (("tree", (0, 1, 2)), ("other", (3, 4, 5))):
        for label, name in enumerate(classes.names):
            (home / folder / name).mkdir(parents=True)
            for number in numbers:
                image = synthflora.draw(synthflora.flower_at(0, "test", 10 * label + number), 96)
                image.save(home / folder / name / f"{number}.png")
    rows = [[name, *classes.texts.get(name, ())] for name in classes.names]
    with (home / "classes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["name", *(f"text{i}" for i in range(1, 9))], *rows])
    return home


@cache
def encoder() -> Encoder:
    return load_encoder("builtin:florette", precision="fp32", device="cpu")


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def expected(
    name: str, prompts: str, classes: ClassList, images: np.ndarray, *, renormalise: bool
) -> np.ndarray:
    """Logits, sentence by sentence."""
    sentences = make_ensemble(name).sentences(load_prompts(prompts), classes)
    texts = unit(encoder().encode_texts(sentences.texts).numpy().astype(float))
    shares = np.ones(len(texts))
    if "weighted" in name:
        read = torch.from_numpy(texts).float(), sentences, torch.from_numpy(images).float()
        shares = template_weights(*read, encoder().logit_scale).numpy()
    logits = np.zeros((len(images), len(classes)))
    for c in range(len(classes)):
        own = [i for i, owner in enumerate(sentences.owners) if owner == c]
        total = sum(shares[i] for i in own)
        for i in own:
            logits[:, c] += shares[i] / total * (images @ texts[i])
        if renormalise:
            logits[:, c] /= np.linalg.norm(sum(shares[i] / total * texts[i] for i in own))
    return encoder().logit_scale * logits


def features(rows: list[dict]) -> np.ndarray:
    pixels = [encoder().preprocessing(Image.open(row["uri"]).convert("RGB")) for row in rows]
    return unit(encoder().encode_images(torch.stack(pixels)).pooled.numpy().astype(float))


def check(table: Path, name: str, classes: ClassList) -> None:
    rows = pq.read_table(table).to_pylist()
    images, got = features(rows), np.array([row["probability"] for row in rows])
    answers = {}
    for renormalise in (True, False):
        odds = np.exp(expected(name, PROMPTS, classes, images, renormalise=renormalise))
        answers[renormalise] = odds.max(axis=1) / odds.sum(axis=1)
    right = "score-mean" not in name.split("+")
    np.testing.assert_allclose(got, answers[right], atol=2e-5)
    assert np.abs(got - answers[not right]).max() > 1e-3  # the case can tell


def run(*arguments: object) -> None:
    common = ["--model", "builtin:florette", "--precision", "fp32"]
    assert main.run([*map(str, arguments), *common]) == 0


@pytest.mark.parametrize("name", [*INDUCTIVE, *WEIGHTED])
def test_zeroshot(home, classes, tmp_path, name) -> None:
    data = ["--dataset", home / "tree", "--classes", home / "classes.csv", "--prompts", PROMPTS]
    run("zeroshot", *data, "--ensemble", name, "-o", tmp_path / "run")
    check(tmp_path / "run" / "predictions.parquet", name, classes)


@pytest.mark.parametrize("name", ["waffle", "score-mean", "score-mean+waffle"])
def test_predict(home, classes, tmp_path, name) -> None:
    data = [home / "tree", "--classes", home / "classes.csv", "--prompts", PROMPTS]
    run("predict", *data, "--ensemble", name, "-o", tmp_path / "run")
    check(tmp_path / "run" / "predictions.parquet", name, classes)


@pytest.mark.parametrize("name", ["mean", "score-mean", "score-mean+waffle"])
def test_zero_shot_beside_demonstrations(home, classes, tmp_path, name) -> None:
    names = ["--classes", home / "classes.csv"]
    run("index", "build", home / "other", *names, "--store", tmp_path / "store")
    data = ["--dataset", home / "tree", *names, "--prompts", PROMPTS, "--store", tmp_path / "store"]
    run("icl", *data, "--ensemble", name, "--shots", 1, "-o", tmp_path / "run")
    check(tmp_path / "run" / "predictions-zero-shot.parquet", name, classes)


def test_prompts_are_chosen_by_the_same_scores(home, classes, tmp_path) -> None:
    data = ["--dataset", home / "tree", "--classes", home / "classes.csv", "-o", tmp_path / "run"]
    run("zeroshot", *data, "--prompts", f"auto,photo,{PROMPTS}", "--ensemble", "score-mean")
    images = features(pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist())
    (remark,) = json.loads((tmp_path / "run" / "results.json").read_text())["remarks"]
    values = []
    for renormalise in (False, True):
        logits = expected("score-mean", PROMPTS, classes, images, renormalise=renormalise)
        values.append(agreement(torch.from_numpy(logits), torch.from_numpy(images).float()))
    assert f"{PROMPTS} {values[0]:.3f}" in remark
    assert abs(values[0] - values[1]) > 2e-3
