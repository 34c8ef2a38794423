"""`clipfg zeroshot` on choices: the built-in encoder against plain dot products."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import clipfg
from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.encoders import load_encoder
from clipfg.encoders.base import Encoder, ImageFeatures
from clipfg.errors import MissingError, UsageError
from clipfg.evaluation.choices.report import ChoiceReport
from tests.data.layouts import write
from tests.data.sets.test_fgovd import row
from tests.data.sets.test_winoground import example

BUILT_IN = {"model": "builtin:florette", "precision": "fp32"}
CAPTIONS = ("a red flower", "a blue flower", "a tall green plant", "a dog and 5 cats")


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return synthflora.export(tmp_path_factory.mktemp("flowers"), n=4, size=64)


def rgb(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def sugarcrepe(root: Path, flowers: list[Path]) -> Path:
    """Captions of four flowers in two categories, in the official layout."""
    images = root / "sugarcrepe" / "val2017"
    images.mkdir(parents=True)
    for number, flower in enumerate(flowers):
        rgb(flower).save(images / f"{number}.png")
    for category, shift in (("add_att", 1), ("swap_obj", 2)):
        items = {
            str(n): {"filename": f"{n}.png", "caption": CAPTIONS[n]}
            | {"negative_caption": CAPTIONS[(n + shift) % 4]}
            for n in range(4)
        }
        write(images.parent, f"{category}.json", [json.dumps(items)])
    return root


def zeroshot(dataset: str, root: Path, **options: Any) -> Any:
    output = options.pop("output", root / "run")
    return clipfg.zeroshot(dataset, data_root=root, output=output, **BUILT_IN | options)


def plain_scores(images: list[Path], texts: tuple[str, ...]) -> np.ndarray:
    """Cosines by a straight line: no cache, no batches."""
    encoder = load_encoder("builtin:florette", precision="fp32")
    rows = []
    for path in images:
        pixels = encoder.preprocessing(rgb(path))[None]
        rows.append(encoder.encode_images(pixels).pooled[0])
    features = torch.stack(rows)
    sentences = torch.cat([encoder.encode_texts([text]) for text in texts])
    features = features / features.norm(dim=1, keepdim=True)
    return (features @ (sentences / sentences.norm(dim=1, keepdim=True)).T).detach().numpy()


def test_captions_against_plain_dot_products(tmp_path: Path, flowers: list[Path]) -> None:
    run = zeroshot("sugarcrepe", sugarcrepe(tmp_path, flowers), html=True)
    images = [tmp_path / f"sugarcrepe/val2017/{n}.png" for n in range(4)]
    cosines = plain_scores(images, CAPTIONS)
    table = pq.read_table(run.folder / "predictions.parquet").to_pylist()
    assert [each["id"] for each in table] == [
        f"{category}/{n}" for category in ("add_att", "swap_obj") for n in range(4)
    ]
    for each in table:
        n, shift = int(each["id"][-1]), 1 if each["subset"] == "add_att" else 2
        expected = [cosines[n, n], cosines[n, (n + shift) % 4]]
        assert each["scores"] == pytest.approx(expected, abs=1e-5)
        assert each["correct"] == (expected[0] > expected[1])
        assert each["prediction"] == each["texts"][int(expected[1] > expected[0])]
        assert each["label"] == CAPTIONS[n] == each["texts"][0]
        gap = load_encoder("builtin:florette").logit_scale * abs(expected[0] - expected[1])
        assert each["probability"] == pytest.approx(1 / (1 + np.exp(-gap)), abs=1e-5)
    assert isinstance(run.report, ChoiceReport)
    rows = {r["subset"]: r for r in run.rows()}
    for subset in ("add_att", "swap_obj"):
        hits = [each["correct"] for each in table if each["subset"] == subset]
        assert rows[subset]["accuracy"] == np.mean(hits)
    # Without the images the answers are those of the mean of all features.
    mean = cosines.mean(axis=0)
    blind = [mean[n] > mean[(n + 1) % 4] for n in range(4)]
    assert rows["add_att"]["blind"] == np.mean(blind)
    assert rows["all"]["n"] == run.done == 8
    assert run.exit_code == 0
    assert "By subset" in (run.folder / "report.html").read_text(encoding="utf-8")
    assert json.loads((run.folder / "results.json").read_text())["kind"] == "choices"


def fgovd(root: Path, flowers: list[Path], *more: str) -> Path:
    image = root / "fgovd" / "val2017" / "1.png"
    image.parent.mkdir(parents=True)
    rgb(flowers[0]).save(image)
    width, height = rgb(image).size
    given = {"img_path": "val2017/1.png", "width": width, "height": height}
    half = width // 2
    lines = [
        row(**given, bbox=[0, 0, half, height]),
        row(**given, bbox=[half, 0, half, height]),
        *more,
    ]
    write(root / "fgovd", "1_attributes.jsonl", lines)
    write(root / "fgovd", "2_attributes.jsonl", [row(**given, bbox=[0, 0, half, height])])
    return root


def test_boxes_against_the_mean_of_their_patches(tmp_path: Path, flowers: list[Path]) -> None:
    run = zeroshot("fgovd", fgovd(tmp_path, flowers))
    table = pq.read_table(run.folder / "predictions.parquet").to_pylist()
    assert [each["id"] for each in table] == ["hard/1", "hard/2", "medium/1"]
    encoder = load_encoder("builtin:florette", precision="fp32")
    image = rgb(tmp_path / "fgovd/val2017/1.png")
    patches = encoder.encode_images(encoder.preprocessing(image)[None], patches=True).patches
    assert patches is not None
    side = round(patches.shape[1] ** 0.5)
    grid = patches[0].reshape(side, side, -1)
    for each, part in zip(table, (grid[:, : side // 2], grid[:, side // 2 :]), strict=False):
        feature = part.reshape(-1, part.shape[-1]).mean(dim=0)
        texts = encoder.encode_texts(each["texts"])
        cosines = torch.nn.functional.cosine_similarity(texts, feature[None]).detach()
        assert each["scores"] == pytest.approx(cosines.tolist(), abs=1e-4)
    assert table[2]["scores"] == table[0]["scores"]
    assert [r["subset"] for r in run.rows()] == ["hard", "medium", "all"]
    assert run.report.context["boxes"] == "boxes as region"


def test_boxes_cut_out(tmp_path: Path, flowers: list[Path]) -> None:
    run = zeroshot("fgovd", fgovd(tmp_path, flowers), crop="tight")
    encoder = load_encoder("builtin:florette", precision="fp32")
    image = rgb(tmp_path / "fgovd/val2017/1.png")
    half = image.crop((0, 0, image.width // 2, image.height))
    feature = encoder.encode_images(encoder.preprocessing(half)[None]).pooled
    first = pq.read_table(run.folder / "predictions.parquet").to_pylist()[0]
    texts = encoder.encode_texts(first["texts"])
    cosines = torch.nn.functional.cosine_similarity(texts, feature).detach()
    # The pipeline's filter also sees the pixels beside the cut.
    assert first["scores"] == pytest.approx(cosines.tolist(), abs=5e-3)
    assert run.report.context["boxes"] == "boxes as tight"
    assert run.done == 3
    whole = zeroshot("fgovd", tmp_path, crop="whole")
    rows = pq.read_table(whole.folder / "predictions.parquet").to_pylist()
    assert rows[0]["scores"] == rows[1]["scores"]  # other boxes of one image


def test_rows_that_cannot_be_used_are_listed(tmp_path: Path, flowers: list[Path]) -> None:
    bad = [row(bbox=[1, 1, 0, 5]), "{", row(img_path="val2017/1.png", width=64, height=9)]
    root = fgovd(tmp_path, flowers, *bad, row(img_path="val2017/2.png"))
    (root / "fgovd/val2017/2.png").write_bytes(b"no image")
    run = zeroshot("fgovd", root)
    lines = (run.folder / "failures.jsonl").read_text(encoding="utf-8").splitlines()
    failures = {line["id"]: line for line in map(json.loads, lines)}
    broken = "val2017/2.png#10,20,40,60"
    assert list(failures) == ["hard/3", "hard/4", "hard/5", broken]
    assert failures[broken]["stage"] == "decode"
    assert run.exit_code == 3
    assert (run.done, run.skipped) == (3, 4)
    assert run.report.remarks == (
        "4 items of 7 could not be used and count nowhere; failures.jsonl has the reasons",
    )


def test_a_box_at_the_edge_of_a_wide_image_is_seen(tmp_path: Path) -> None:
    """The encoder's own crop would leave it out; boxes are read from the squashed image."""
    path = tmp_path / "fgovd/val2017/1.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (400, 100), "red").save(path)
    given = {"img_path": "val2017/1.png", "width": 400, "height": 100}
    lines = [row(**given, bbox=[0, 0, 50, 50]), row(**given, bbox=[180, 20, 50, 50])]
    write(tmp_path / "fgovd", "1_attributes.jsonl", lines)
    run = zeroshot("fgovd", tmp_path)
    assert (run.done, run.skipped) == (2, 0)
    assert zeroshot("fgovd", tmp_path, boxes_as="crop").done == 2


def test_pairs(tmp_path: Path, flowers: list[Path]) -> None:
    root = tmp_path / "winoground"
    write(root, "examples.jsonl", [json.dumps(example(n, "Object")) for n in (0, 1)])
    (root / "images").mkdir()
    for name, flower in zip(("0_img_0", "0_img_1", "1_img_0"), flowers, strict=False):
        rgb(flower).save(root / "images" / f"ex_{name}.png")
    run = zeroshot("winoground", tmp_path)
    assert [(r["measure"], r["n"]) for r in run.rows()] == [("text", 1), ("image", 1), ("group", 1)]
    table = pq.read_table(run.folder / "predictions.parquet").to_pylist()
    assert [each["pair"] for each in table] == ["example/1", "example/1", "example/2"]


@pytest.fixture
def captions(tmp_path: Path, flowers: list[Path]) -> Path:
    return sugarcrepe(tmp_path, flowers)


@pytest.mark.parametrize(
    "option",
    [
        {"prompts": "general"},
        {"ensemble": "product"},
        {"within": "plants"},
        {"transductive": "tda"},
        {"roll_up": 0.8},
        {"classes": "names.txt"},
        {"top_k": 3},
    ],
    ids=lambda option: next(iter(option)),
)
def test_options_without_a_meaning(captions: Path, option: dict[str, Any]) -> None:
    flag = next(iter(option)).replace("_", "-")
    with pytest.raises(UsageError, match=f"--{flag} has no meaning for sugarcrepe"):
        zeroshot("sugarcrepe", captions, **option)


def test_split_and_limit(captions: Path, caplog: pytest.LogCaptureFixture) -> None:
    (captions / "sugarcrepe/val2017/3.png").unlink()
    assert [r["subset"] for r in zeroshot("sugarcrepe", captions, split="swap_obj").rows()] == [
        "swap_obj"
    ]
    assert "incomplete: 3 of 4 images" in caplog.text
    run = zeroshot(str(captions / "sugarcrepe"), captions, limit=2)
    assert run.done == 4
    with pytest.raises(UsageError, match=r"'swap_ob'.*Did you mean 'swap_obj'"):
        zeroshot("sugarcrepe", captions, split="swap_ob")
    with pytest.raises(MissingError, match="Get data/ from"):
        zeroshot("sugarcrepe", captions / "sugarcrepe/val2017")


def test_an_encoder_without_patches(
    tmp_path: Path, flowers: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: type[Encoder] = type(load_encoder("builtin:florette"))
    encode = kind.encode_images

    def pooled(self: Encoder, pixels: Any, *, patches: bool = False) -> ImageFeatures:
        return ImageFeatures(encode(self, pixels).pooled)

    monkeypatch.setattr(kind, "encode_images", pooled)
    with pytest.raises(UsageError, match=r"has no patch features.*--boxes-as crop\."):
        zeroshot("fgovd", fgovd(tmp_path, flowers))


def test_on_the_command_line(captions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = captions / "out"
    command = ["zeroshot", "sugarcrepe", "--data-root", str(captions), "-o", str(output)]
    assert main.run([*command, "-m", "builtin:florette", "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "choices"
    assert main.run(["report", str(output), "--html", "-f", "csv"]) == 0
    assert capsys.readouterr().out.startswith("subset,measure,n,")
    assert (output / "report.html").is_file()
    assert main.run(["report", str(output), str(output), "-f", "jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert main.run(["fewshot", "sugarcrepe", "--data-root", str(captions)]) != 0


@pytest.mark.shared
@pytest.mark.parametrize(("name", "items"), [("sugarcrepe", 221), ("fgovd", 288)])
def test_published_rows(shared: Path, tmp_path: Path, name: str, items: int) -> None:
    run = clipfg.zeroshot(name, data_root=shared / "data/coco-slice", output=tmp_path, **BUILT_IN)
    assert run.done == run.report.n == items  # of 295 boxes, 28 lie outside the centre crop
    assert 0 <= run.report.table[-1].accuracy.low < run.report.table[-1].accuracy.high <= 1
