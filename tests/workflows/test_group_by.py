"""`--group-by` through the commands: nothing of a group is on two sides."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import clipfg
from clipfg.embedding.feature_files import write_features
from clipfg.errors import DataError, UsageError
from clipfg.options import FewshotOptions, resolve
from clipfg.types import ClassList, Features
from clipfg.workflows.coreset.compare import ComparisonRun
from clipfg.workflows.protocol.splits import open_support_and_test
from clipfg.workflows.session import Session
from clipfg.workflows.suggest.simulate import SimulationRun

CLASSES, PLANTS, VIEWS, WIDTH = 4, 8, 5, 12
BY = r"^(p\d+)_"


def world(path: Path, splits: bool = False) -> str:
    """Plants far from their class's centre, and pictures near their plant."""
    rng = np.random.default_rng(0)
    centres = 0.5 * rng.normal(size=(CLASSES, 1, 1, WIDTH))
    plants = centres + rng.normal(size=(CLASSES, PLANTS, 1, WIDTH))
    x = plants + 0.2 * rng.normal(size=(CLASSES, PLANTS, VIEWS, WIDTH))
    count = CLASSES * PLANTS * VIEWS
    rows = np.arange(count)
    # Of half of the plants every picture is to train on, of the others all but two.
    names = np.where((rows // VIEWS % 2) & (rows % VIEWS > 2), "test", "train")
    features = Features(
        ids=tuple(f"p{i // VIEWS}_{i % VIEWS}" for i in range(count)),
        pooled=x.reshape(count, WIDTH).astype(np.float32),
        labels=np.repeat(np.arange(CLASSES), PLANTS * VIEWS),
        classes=ClassList(tuple("abcd")),
        splits=tuple(names.tolist()) * splits,
    )
    write_features(features, path)
    return f"features:{path}"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPFG_CACHE_DIR", str(tmp_path / "cache"))


def test_pictures_of_plants_flatter_and_groups_do_not(tmp_path: Path) -> None:
    head = tmp_path / "head.safetensors"
    run = clipfg.fewshot(
        world(tmp_path / "w.npz"), group_by=BY, heads="knn", shots="all", save=head,
        output=tmp_path / "run",
    )  # fmt: skip
    found = run.curve.grouped
    assert found is not None
    assert found.by_pictures.value > found.by_groups.value + 0.15
    assert found.by_groups == run.curve.cells[-1].top1
    assert found.groups == CLASSES * PLANTS / 2
    assert found.answers is not None
    assert found.note in run.curve.notes


def test_pictures_of_groups_are_not_independent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, head = world(tmp_path / "w.npz"), tmp_path / "head.safetensors"
    known = {"heads": "knn", "shots": "all", "save": head}
    for by in (BY, None):
        clipfg.fewshot(data, group_by=by, output=tmp_path / f"run-{by is None}", **known)
        for number, asked in enumerate(({"target_error": 0.3}, {})):
            caplog.clear()
            clipfg.predict(data, head=head, output=tmp_path / f"p-{by is None}-{number}", **asked)
            said = "Guarantees take pictures for independent" in caplog.text
            assert said == (by is not None and bool(asked))


def test_halves_have_whole_plants(tmp_path: Path) -> None:
    options = resolve(FewshotOptions, {"dataset": world(tmp_path / "w.npz"), "group_by": BY})
    with Session(options) as session:
        roles = open_support_and_test(session)
    assert roles.test is not None
    assert roles.by_pictures is not None
    plants = [{i.split("_")[0] for i in part.manifest.ids} for part in (roles.support, roles.test)]
    assert not plants[0] & plants[1]
    assert roles.by_pictures.support.manifest.groups is None


def test_test_pictures_of_known_plants_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="groups that are not learnt from, but all 32"):
        clipfg.fewshot(world(tmp_path / "w.npz", splits=True), group_by=BY, output=tmp_path / "run")


def test_one_group_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Expected several groups by --group-by, all 160"):
        clipfg.lint(world(tmp_path / "w.npz"), group_by="^(p)", output=tmp_path / "run")


def test_groups_of_several_labels_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clipfg.lint(world(tmp_path / "w.npz"), group_by=r"_(\d)", output=tmp_path / "run")
    assert "5 groups hold several labels, such as '0'" in caplog.text


def test_lint_names_groups_in_two_splits(tmp_path: Path) -> None:
    run = clipfg.lint(world(tmp_path / "w.npz", splits=True), group_by=BY, output=tmp_path / "run")
    leaks = [one for one in run.findings if one.kind == "group-leak"]
    assert len(leaks) == CLASSES * PLANTS / 2
    assert leaks[0].what == "group 'p1' is in train and test"


def test_coresets_and_simulations_keep_groups_whole(tmp_path: Path) -> None:
    data = world(tmp_path / "w.npz")
    run = clipfg.coreset(
        data, group_by=BY, compare=True, strategy="class-mean,discriminant", per_class="2",
        seeds=1, output=tmp_path / "coreset",
    )  # fmt: skip
    assert isinstance(run, ComparisonRun)
    assert run.curve.grouped is not None
    assert run.curve.grouped.by_pictures.value > run.curve.grouped.by_groups.value
    simulated = clipfg.suggest(
        data, group_by=BY, simulate=True, strategy="random", budget=20, seeds=1,
        output=tmp_path / "suggest",
    )  # fmt: skip
    assert isinstance(simulated, SimulationRun)
    assert simulated.result.groups is not None


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six pictures of two plants, `a` green and `b` red, and one of no plant that is known."""
    rng = np.random.default_rng(1)
    for number in range(7):
        pixels = rng.integers(0, 90, (48, 48, 3), dtype=np.uint8)
        pixels[..., number % 2] += 150
        name = f"{'ab'[number % 2]}_{number}.png" if number < 6 else "other.png"
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def test_one_answer_for_each_group(photos: Path, tmp_path: Path) -> None:
    classes = tmp_path / "classes.txt"
    classes.write_text("a red rose\na green leaf\n")
    run = clipfg.predict(
        [photos], classes=classes, group_by=r"^([ab])_", model="builtin:florette",
        precision="fp32", output=tmp_path / "run",
    )  # fmt: skip
    rows = {row["id"]: row for row in run.rows()}
    assert {name: row["pictures"] for name, row in rows.items()} == {"a": 3, "b": 3, "other.png": 1}
    single = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    assert len(single) == 7
    own = next(row for row in single if row["id"] == "other.png")
    assert rows["other.png"]["probability"] == pytest.approx(own["probability"], abs=1e-5)
    # The mean of logits of two classes: the mean of log odds.
    odds = [
        np.log(r["probability"] / (1 - r["probability"])) * (1 if "red" in r["prediction"] else -1)
        for r in single
        if r["id"].startswith("a_")
    ]
    expected = 1 / (1 + np.exp(-abs(np.mean(odds))))
    assert rows["a"]["probability"] == pytest.approx(expected, abs=1e-4)


def test_what_is_of_pictures_alone_is_refused(photos: Path, tmp_path: Path) -> None:
    for more in ({"unknown": True}, {"to": "coco"}):
        with pytest.raises(UsageError, match="about single pictures"):
            clipfg.predict([photos], classes="a,b", group_by="folder", **more)
