import html
import io
import json
import re
from dataclasses import replace

import pytest
import torch
from PIL import Image
from rich.console import Console

from clipfg.errors import DataError
from clipfg.evaluation import Evaluator, Report
from clipfg.evaluation.report.page import PredictedImage
from clipfg.evaluation.report.report import METRICS
from clipfg.types import ClassList

HOSTILE = "<script>alert('x')</script> & [red]co\"[/red] :smile:"


@pytest.fixture(scope="module")
def report() -> Report:
    torch.manual_seed(0)
    names = (HOSTILE, *(f"flower {i}" for i in range(7)), "absent <b>")
    evaluator = Evaluator(ClassList(names, {n: f"genus <{i // 3}>" for i, n in enumerate(names)}))
    labels = torch.arange(80) % 8
    logits = torch.randn(80, 9)
    logits[torch.arange(80), labels] += 1
    labels[5] = -1
    evaluator.update(logits, labels, [["<seen>", "unseen"][i % 2] for i in range(80)])
    return evaluator.report({"model": "<i>model</i>", "data": "set"})


def shown(report: Report, width: int = 100, colour: bool = False) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=colour)
    console.print(report)
    return console.file.getvalue().replace("\N{NO-BREAK SPACE}", " ")


def test_json_and_back(report) -> None:
    text = json.dumps(report.to_json(), allow_nan=False)
    assert Report.from_json(json.loads(text)) == report


def test_json_keys_are_stable(report) -> None:
    content = report.to_json()
    assert list(content) == [
        "schema", "n", "classes", "metrics", "chance", "majority", "per_class", "confusions",
        "by_domain", "by_level", "unlabelled", "context", "transductive", "remarks", "severity",
        "rolled_up", "absent",
    ]  # fmt: skip
    metrics = ["top1", "top5", "mean_per_class", "macro_f1", "nll", "ece"]
    assert list(content["metrics"]) == metrics
    assert list(content["metrics"]["top1"]) == ["value", "low", "high"]
    row = ["name", "n", "accuracy", "top5", "precision", "f1"]
    assert list(content["per_class"][0]) == row
    assert list(content["confusions"][0]) == ["true", "predicted", "count", "share", "ancestor"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema 1, got 2"),
        ({"metrics": {}}, "damaged"),
        ({"per_class": [{"name": "x"}]}, "damaged"),
        ({"by_level": [{}]}, "damaged"),
    ],
)
def test_other_content_is_refused(report, change, message) -> None:
    with pytest.raises(DataError, match=message):
        Report.from_json(report.to_json() | change)


@pytest.mark.parametrize("missing", ["n", "context", "schema"])
def test_missing_content_is_refused(report, missing) -> None:
    content = report.to_json()
    del content[missing]
    with pytest.raises(DataError):
        Report.from_json(content)


def test_terminal_has_the_numbers(report) -> None:
    text = shown(report)
    for key in ("top1", "top5", "mean_per_class", "macro_f1", "ece"):
        estimate = report.metrics[key]
        assert f"{100 * estimate.value:.1f} %" in text
        assert f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}" in text
    assert f"{report.metrics['nll'].value:.3f}" in text
    assert "79 images, 9 classes" in text
    assert "1 class has no image here and enters no mean: absent <b>" in text
    assert "1 image without a label is not counted" in text
    assert "right parent" in text
    assert "<seen>" in text


def test_terminal_takes_names_as_they_are(report) -> None:
    assert HOSTILE in shown(report, width=160)


def test_a_narrow_terminal_keeps_names_and_numbers(report) -> None:
    text = shown(report, width=46)
    assert "top-1 accuracy" in text
    assert f"{100 * report.metrics['top1'].value:.1f} %" in text
    assert "unseen" in text
    assert "flower 3" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(report, width) -> None:
    assert max(map(len, shown(report, width).splitlines())) <= width


def test_no_colour_without_a_terminal(report) -> None:
    assert "\x1b" not in shown(report)
    assert "\x1b" in shown(report, colour=True)


def test_top_5_of_five_classes_is_not_shown() -> None:
    evaluator = Evaluator(ClassList(tuple("abcde")), resamples=20)
    evaluator.update(torch.eye(5), torch.arange(5))
    report = evaluator.report()
    assert "top-5" not in shown(report) + report.to_html()
    assert report.to_json()["metrics"]["top5"]["value"] == 1


def image(kind: str = "JPEG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "tomato").save(data, kind)
    return data.getvalue()


def test_page_escapes_every_text(report) -> None:
    page = report.to_html(
        [PredictedImage(image(), HOSTILE, 0.5, "<u>"), PredictedImage(image("PNG"), "x", 1)]
    )
    for text in (HOSTILE, "<i>model</i>", "absent <b>", "genus <0>", "<seen>"):
        assert text not in page
        assert html.escape(text) in page
    assert "<u>" not in page
    assert "<script" not in page


def test_page_loads_nothing(report) -> None:
    page = report.to_html([PredictedImage(image("WEBP"), "rose", 0.9, "rose")])
    assert "default-src 'none'" in page
    assert not re.findall(r"https?:|@import|url\(|<link|<iframe", page)
    assert re.findall(r'src="([^"]{0,22})', page) == ["data:image/webp;base64"]


def test_page_is_well_formed(report) -> None:
    from html.parser import HTMLParser

    void, open_tags = {"meta", "img"}, []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attributes) -> None:
            if tag not in void:
                open_tags.append(tag)

        def handle_endtag(self, tag) -> None:
            assert open_tags.pop() == tag

    Checker().feed(report.to_html([PredictedImage(image(), "a", 0.2, "b")]))
    assert open_tags == []


def test_page_has_the_numbers_and_every_class(report) -> None:
    page = html.unescape(report.to_html())
    estimate = report.metrics["top1"]
    assert f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}" in page
    for row in report.per_class:
        assert f'<th scope="row">{row.name}</th><td class="n">{row.n}</td>' in page


def test_page_refuses_other_images(report) -> None:
    with pytest.raises(DataError, match="JPEG, PNG or WebP"):
        report.to_html([PredictedImage(b"<svg/>", "x", 1.0)])


def test_worst_classes_come_first(report) -> None:
    worst = report.worst(3)
    accuracies = sorted(row.accuracy for row in report.per_class if row.accuracy is not None)
    assert [row.accuracy for row in worst] == accuracies[:3]


def test_transductive_numbers_are_marked_wherever_they_are_shown(report) -> None:
    marked = replace(report, transductive="<tda>", remarks=("Mind this.",))
    caveat = "transductive: used the unlabelled test pool"
    text = shown(marked, width=120)
    assert f"{caveat} (<tda>)" in text
    assert "Mind this." in text
    for title in (*METRICS.values(), "unseen", "right parent"):
        assert f"{title} (transductive)" in text
    page = marked.to_html()
    assert f"{caveat} (&lt;tda&gt;)" in page
    for title in (*METRICS.values(), "unseen", "right parent", "first guess"):
        assert f"{title} (transductive)" in page
    assert "<tda>" not in page
    assert marked.to_json()["transductive"] == "<tda>"
    assert Report.from_json(json.loads(json.dumps(marked.to_json()))) == marked


def test_other_numbers_are_not(report) -> None:
    assert "transductive" not in shown(report) + report.to_html()
    assert report.to_json()["transductive"] == ""


def test_reports_written_before_there_was_a_mark_are_read(report) -> None:
    content = report.to_json()
    del content["transductive"], content["remarks"], content["severity"], content["rolled_up"]
    for row in content["by_level"]:
        del row["name"]
    assert Report.from_json(content) == replace(report, severity=None)
