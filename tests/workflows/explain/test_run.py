"""Explaining photos end to end, with the built-in model."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

import clipfg
from clipfg.cli import main
from clipfg.data import synthflora
from clipfg.errors import UsageError
from clipfg.heads.class_mean import ClassMean
from clipfg.heads.zero_shot import ZeroShot
from clipfg.workflows.explain.added import check_head
from tests import checkpoints

FLORETTE = ["--model", "builtin:florette", "--precision", "fp32"]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two flowers and the names of all species."""
    folder = tmp_path_factory.mktemp("photos")
    synthflora.export(folder, n=2)
    return folder


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(synthflora.classes().names[:12]), encoding="utf-8")
    return path


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """Classes with texts: hostile names, one phrase that both have."""
    path = tmp_path / "described.csv"
    rows = [
        ["name", "text", "text2"],
        ["<b>red</b> & {{ 7 * 7 }}", "red petals", "a green leaf"],
        ['blue "one"', "blue petals", "a green leaf"],
        ["plain", "", ""],
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_row_and_a_picture_for_each_map(photos, names, tmp_path, capsys) -> None:
    output = tmp_path / "run"
    command = ["explain", str(photos), "--classes", str(names), *FLORETTE, "-o", str(output)]
    assert main.run([*command, "-f", "csv"]) == 0
    printed = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert [row["kind"] for row in rows] == ["class", "class", "difference"] * 2
    assert "--phrases" in printed.err
    assert str(output) in printed.err
    for row in rows:
        assert size_of(output / row["file"]) == (256, 256)
        assert 0 <= float(row["x"]) <= 256
        assert 0 <= float(row["y"]) <= 256
        assert float(row["gain_low"]) <= float(row["gain"]) <= float(row["gain_high"])
        assert row["verdict"] in ("faithful", "says nothing", "misleading")
    first, second, apart = rows[:3]
    assert float(apart["score"]) == pytest.approx(float(first["score"]) - float(second["score"]))
    assert float(first["probability"]) >= float(second["probability"])
    results = json.loads((output / "results.json").read_text())
    assert len(results["photos"]) == 2
    assert results["photos"][0]["for"] == first["text"] == first["side"]
    maps = [one["map"] for one in results["photos"][0]["maps"]]
    for own, other, difference in zip(*maps, strict=True):
        for a, b, c in zip(own, other, difference, strict=True):
            assert c == pytest.approx(a - b, abs=1e-6)


def test_the_page_is_whole_and_escaped(photos, described, tmp_path) -> None:
    run = clipfg.explain(
        photos,
        classes=described,
        model="builtin:florette",
        for_class="<b>red</b> & {{ 7 * 7 }}",
        vs_class="BLUE one",
        output=tmp_path / "run",
    )
    assert run.exit_code == 0
    assert len(run.explanations) == 2
    one = run.explanations[0]
    assert one.sides == ("<b>red</b> & {{ 7 * 7 }}", 'blue "one"')
    assert [[phrase.text for phrase in side] for side in one.phrases] == [
        ["red petals"],
        ["blue petals"],
    ]
    assert one.phrases[0][0].lead == pytest.approx(-one.phrases[1][0].lead)
    page = run.page.read_text()
    assert "<b>red</b>" not in page
    assert "&lt;b&gt;red&lt;/b&gt; &amp; {{ 7 * 7 }}" in page
    assert not re.search(r"(src|href)=.(?!data:)", page)
    assert len(re.findall("<img", page)) == 2 * (1 + 3 + 2)
    kinds = [row["kind"] for row in run.rows()[:5]]
    assert kinds == ["class", "class", "phrase", "phrase", "difference"]


def test_descriptions_give_phrases(photos, names, tmp_path) -> None:
    first, second = synthflora.classes().names[:2]
    file = tmp_path / "said.yaml"
    lines = {first: {"petals": "spotted violet"}, second: {"eye": "black"}}
    file.write_text(json.dumps({"kind": "flower", "classes": lines}), encoding="utf-8")
    asked = {"for_class": first, "vs_class": second, "classes": names, "phrases": file}
    run = clipfg.explain(photos, limit=1, model="builtin:florette", **asked)
    (one,) = run.explanations
    said = [seen.text for seen in one.seen if seen.kind == "phrase"]
    assert said == ["petals spotted violet", "eye black"]


def test_rollout_has_no_difference(photos, names, tmp_path) -> None:
    asked = {"classes": names, "method": "rollout", "model": "builtin:florette", "limit": 1}
    run = clipfg.explain(photos, output=tmp_path / "run", **asked)
    assert [row["kind"] for row in run.rows()] == ["class", "class"]
    assert "whatever the class" in run.page.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"for_class": "rose"}, "go together"),
        ({"vs_class": "rose"}, "go together"),
        ({"for_class": "rose", "vs_class": "lilly"}, "got 'lilly'. Did you mean 'lily'?"),
        ({"for_class": "Rose", "vs_class": "rose"}, "the same class, 'rose'"),
        ({"method": "dens"}, "Did you mean 'dense'?"),
        ({"phrases": "cub200"}, "describes none of these classes"),
        ({"dataset": "synthflora"}, "cannot be combined"),
        ({"classes": None}, "--classes FILE"),
    ],
)
def test_slips_are_named(photos, tmp_path, options, said) -> None:
    path = tmp_path / "names.txt"
    path.write_text("rose\nlily\n")
    given = {"classes": path, "model": "builtin:florette", "output": tmp_path / "run"} | options
    with pytest.raises(UsageError, match=re.escape(said)):
        clipfg.explain(photos, **given)


def test_a_class_alone_is_nothing_to_compare(photos, tmp_path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("rose\n")
    with pytest.raises(UsageError, match=r"at least two classes.*'rose' alone"):
        clipfg.explain(photos, classes=path, model="builtin:florette")
    with pytest.raises(UsageError, match="Name photos"):
        clipfg.explain(classes=path)


def test_a_broken_photo_stops_no_other(photos, names, tmp_path, capsys) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no picture")
    good = next(photos.glob("*.png"))
    command = ["explain", str(broken), str(good), "--classes", str(names), *FLORETTE]
    assert main.run([*command, "-o", str(tmp_path / "run")]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert {json.loads(line)["photo"] for line in lines} == {str(good)}
    failed = json.loads((tmp_path / "run" / "failures.jsonl").read_text())
    assert failed["path"] == str(broken)
    alone = ["explain", str(broken), "--classes", str(names), *FLORETTE]
    assert main.run([*alone, "-o", str(tmp_path / "none")]) == 1
    assert "No photo could be explained" in (tmp_path / "none" / "explain.html").read_text()


def test_photos_that_are_no_square_keep_their_shape(names, tmp_path) -> None:
    photo = tmp_path / "wide.jpg"
    flower = synthflora.draw(synthflora.flower_at(0, "test", 3), 200)
    wide = Image.new("RGB", (900, 300), "grey")
    wide.paste(flower, (350, 50))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side
    wide.transpose(Image.Transpose.ROTATE_90).save(photo, exif=exif)
    run = clipfg.explain(photo, classes=names, model="builtin:florette", output=tmp_path / "run")
    (one,) = run.explanations
    assert (one.placement.width, one.placement.height) == (900, 300)
    assert one.placement.window == pytest.approx((300, 0, 600, 300))
    row = run.rows()[0]
    assert 300 <= row["x"] <= 600
    assert size_of(tmp_path / "run" / row["file"]) == (512, 171)


def test_zeroshot_explains_its_surest_mistakes(tmp_path) -> None:
    run = clipfg.zeroshot(
        "synthflora", limit=60, explain=2, prompts="name", output=tmp_path / "run"
    )
    details = json.loads((run.folder / "explanations.json").read_text())
    assert len(details) == 2
    for one in details:
        assert one["label"] == one["for"] != one["vs"] == one["answers"][0]["name"]
    shares = [one["answers"][0]["probability"] for one in details]
    assert shares == sorted(shares, reverse=True)
    assert (run.folder / "explain.html").is_file()


def test_without_mistakes_there_is_nothing_to_explain(photos, tmp_path) -> None:
    for photo in photos.glob("*.png"):
        folder = tmp_path / "labelled" / photo.stem.replace("_", " ")
        folder.mkdir(parents=True)
        (folder / photo.name).write_bytes(photo.read_bytes())
    run = clipfg.zeroshot(
        tmp_path / "labelled", explain=3, model="builtin:florette", prompts="name"
    )
    assert run.report.metrics["top1"].value == 1
    assert json.loads((run.folder / "explanations.json").read_text()) == []


def test_predict_explains_what_is_least_sure(photos, names, tmp_path) -> None:
    asked = {"classes": names, "model": "builtin:florette", "output": tmp_path / "run"}
    run = clipfg.predict(photos, explain=1, **asked)
    (one,) = json.loads((run.folder / "explanations.json").read_text())
    least = min(run.rows(), key=lambda row: row["probability"])
    assert one["photo"] == least["id"]
    assert [one["for"], one["vs"]] == least["names"][:2]


def test_heads_that_use_no_texts_are_not_explained() -> None:
    check_head(None)
    check_head(ZeroShot())
    with pytest.raises(UsageError, match=r"the head class-mean.*--classes"):
        check_head(ClassMean())


def test_features_show_no_picture(tmp_path) -> None:
    file = tmp_path / "features.npz"
    clipfg.embed("synthflora", split="test", limit=8, output=file)
    with pytest.raises(UsageError, match="features alone"):
        clipfg.zeroshot(f"features:{file}", model="builtin:florette", explain=1)


def test_boxes_are_not_explained(photos, names, tmp_path) -> None:
    photo = next(photos.glob("*.png"))
    shutil.copy(photo, tmp_path / "flower.png")
    table = tmp_path / "boxes.csv"
    table.write_text("path,x0,y0,x1,y1\nflower.png,10,10,60,60\n")
    asked = {"dataset": table, "classes": names, "model": "builtin:florette"}
    with pytest.raises(UsageError, match=r"boxes in them; try --crop whole"):
        clipfg.explain(**asked)
    run = clipfg.explain(**asked, crop="whole", output=tmp_path / "run")
    assert len(run.explanations) == 1


@pytest.mark.parametrize("version", [1, 2])
def test_fg_clip_is_explained_also_for_images_of_any_shape(names, tmp_path, version) -> None:
    make = {1: checkpoints.fgclip1, 2: checkpoints.fgclip2}[version]
    model = make(tmp_path / "model")
    Image.new("RGB", (90, 60), "red").save(tmp_path / "wide.png")
    run = clipfg.explain(
        tmp_path / "wide.png", classes=names, model=str(model), output=tmp_path / "why"
    )
    assert run.done == 1
    assert {row["kind"] for row in run.rows()} == {"class", "difference"}
