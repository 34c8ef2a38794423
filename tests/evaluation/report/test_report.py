import html
import io
import re
from dataclasses import replace

import pytest
import torch
from markupsafe import escape
from PIL import Image
from rich.console import Console

from clipfg.errors import DataError
from clipfg.evaluation import Evaluator, Report
from clipfg.evaluation.page import render_page
from clipfg.evaluation.report.report import METRICS
from clipfg.evaluation.serialization import to_json
from clipfg.evaluation.terminal import render_terminal
from clipfg.pages.gallery import Tile
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
    console.print(render_terminal(report, width))
    return console.file.getvalue()


def test_terminal_has_the_numbers(report) -> None:
    text = shown(report)
    for key in ("top1", "top5", "mean_per_class", "macro_f1", "ece"):
        estimate = report.metrics[key]
        assert f"{estimate.value:.1%}" in text
        assert f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}" in text
    assert f"{report.metrics['nll'].value:.3f}" in text
    assert "79 images, 9 classes" in text
    assert "1 class without images here is excluded from means: absent <b>" in text
    assert "1 image without a label is not counted" in text
    assert "parent accuracy" in text
    assert "<seen>" in text


def test_terminal_takes_names_as_they_are(report) -> None:
    assert HOSTILE in shown(report, width=160)


def test_a_narrow_terminal_keeps_names_and_numbers(report) -> None:
    text = shown(report, width=46)
    assert "top-1 accuracy" in text
    assert f"{report.metrics['top1'].value:.1%}" in text
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
    assert "top-5" not in shown(report) + render_page(report)
    assert to_json(report)["metrics"]["top5"]["value"] == 1


def image(kind: str = "JPEG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "tomato").save(data, kind)
    return data.getvalue()


def test_page_escapes_every_text(report) -> None:
    page = render_page(
        report, [Tile(image(), HOSTILE, ("50%", "<u>"), "bad"), Tile(image("PNG"), "x")]
    )
    for text in (HOSTILE, "<i>model</i>", "absent <b>", "genus <0>", "<seen>"):
        assert text not in page
        assert str(escape(text)) in page
    assert "<u>" not in page
    assert "<script" not in page


def test_page_loads_nothing(report) -> None:
    page = render_page(report, [Tile(image("WEBP"), "rose")])
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

    Checker().feed(render_page(report, [Tile(image(), "a", ("20%", "b"))]))
    assert open_tags == []


def test_page_has_the_numbers_and_every_class(report) -> None:
    page = html.unescape(render_page(report))
    estimate = report.metrics["top1"]
    assert f"{100 * estimate.low:.1f} – {100 * estimate.high:.1f}" in page
    for row in report.per_class:
        assert f'<th scope="row">{row.name}</th><td class="n">{row.n}</td>' in page


def test_page_refuses_other_images(report) -> None:
    with pytest.raises(DataError, match="JPEG, PNG or WebP"):
        render_page(report, [Tile(b"<svg/>", "x")])


def test_the_hardest_classes_come_first(report) -> None:
    *ranked, absent = report.ranked
    accuracies = sorted(row.accuracy for row in report.per_class if row.accuracy is not None)
    assert [row.accuracy for row in ranked] == accuracies
    assert absent.accuracy is None


def test_transductive_numbers_are_marked_wherever_they_are_shown(report) -> None:
    marked = replace(report, transductive="<tda>", remarks=("Mind this.",))
    caveat = "transductive: used the unlabelled test pool"
    text = shown(marked, width=120)
    assert f"{caveat} (<tda>)" in text
    assert "Mind this." in text
    for title in (*METRICS.values(), "unseen", "parent accuracy"):
        assert f"{title} (transductive)" in text
    page = render_page(marked)
    assert f"{caveat} (&lt;tda&gt;)" in page
    for title in (*METRICS.values(), "unseen", "parent accuracy", "top-1 accuracy"):
        assert f"{title} (transductive)" in page
    assert "<tda>" not in page
    assert to_json(marked)["transductive"] == "<tda>"


def test_other_numbers_are_not(report) -> None:
    assert "transductive" not in shown(report) + render_page(report)
    assert to_json(report)["transductive"] == ""
