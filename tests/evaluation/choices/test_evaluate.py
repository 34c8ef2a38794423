"""Figures on choices against counts by hand."""

import io

import numpy as np
import pytest
from rich.console import Console

from clipfg.errors import DataError
from clipfg.evaluation.choices.answers import Answer, by_length, ties, wins
from clipfg.evaluation.choices.evaluate import evaluate
from clipfg.evaluation.choices.report import ChoiceReport
from clipfg.evaluation.page import render_page
from clipfg.evaluation.results import read_result
from clipfg.evaluation.serialization import to_json
from clipfg.evaluation.terminal import render_terminal
from clipfg.types import Choice

TEXTS = ("a red cup", "a blue cup", "a cup")


def answer(
    name: str,
    scores: tuple[float, ...],
    blind: tuple[float, ...] = (0.0, 1.0, 0.0),
    *,
    subset: str = "hard",
    image: str = "",
    pair: str = "",
) -> Answer:
    texts = TEXTS[: len(scores)]
    choice = Choice(name, image or name, f"/{name}.jpg", texts, subset, None, pair)
    return Answer(choice, np.array(scores, np.float32), np.array(blind, np.float32)[: len(scores)])


SINGLE = [
    answer("a", (0.9, 0.1, 0.2)),
    answer("b", (0.5, 0.5, 0.2)),  # a tie is no win
    answer("c", (0.1, 0.2, 0.3), blind=(1.0, 0.0, 0.0)),
    answer("d", (0.9, 0.8), subset="easy"),
]


def test_rank_1_by_hand() -> None:
    report = evaluate(SINGLE, context={"data": "made up"}, remarks=["One remark"])
    assert [(row.subset, row.measure, row.n) for row in report.table] == [
        ("hard", "rank-1", 3),
        ("easy", "rank-1", 1),
        ("all", "rank-1", 4),
    ]
    hard, easy, everything = report.table
    assert hard.accuracy.value == pytest.approx(1 / 3)
    assert hard.chance == pytest.approx(1 / 3)
    assert hard.blind == pytest.approx(1 / 3)
    assert hard.gain is not None
    assert hard.gain.value == pytest.approx(0)
    assert (hard.ties, easy.ties, everything.ties) == (1, 0, 1)
    assert easy.accuracy.value == 1
    assert easy.chance == 0.5
    assert everything.accuracy.value == 0.5
    assert everything.chance == pytest.approx((3 / 3 + 1 / 2) / 4)
    assert report.overall == (everything,)
    assert report.rows()[2]["accuracy"] == 0.5
    assert report.n == 4


def test_length_alone() -> None:
    """The longest of TEXTS is false; with two texts the shortest is the true one."""
    assert by_length(TEXTS, longest=True) == 0
    assert by_length(TEXTS[:2], longest=False) == 1
    assert by_length(("ab", "cd", "e"), longest=True) == 0.5
    hard, easy, everything = evaluate(SINGLE).table
    assert (hard.by_length, easy.by_length, everything.by_length) == (0, 1, 0.25)


def test_ties() -> None:
    near = np.array([0.5, 0.5 - 3e-7, 0.1], np.float32)
    assert not wins(near)
    assert ties(near)
    assert wins(np.array([0.5, 0.49], np.float32))
    assert not ties(np.array([0.1, 0.5], np.float32))
    tied = answer("a", (0.5, 0.5, 0.1))
    assert tied.chosen == 1
    assert tied.probability(10) == pytest.approx(1 / (2 + np.exp(-4)))


def test_items_of_one_image_count_as_one_draw() -> None:
    """Ten items of one image say no more on other images than one of them."""
    rng = np.random.default_rng(0)
    good = rng.random(40) < 0.5
    many, few = [], []
    for number, hit in enumerate(good):
        scores = (1.0, 0.0) if hit else (0.0, 1.0)
        many += [answer(f"{number}-{i}", scores, image=str(number)) for i in range(10)]
        few.append(answer(str(number), scores, image=str(number)))
    wide, same = evaluate(many).table[0], evaluate(few).table[0]
    assert wide.n == 10 * same.n
    assert wide.images == same.images == 40
    assert wide.accuracy.low == pytest.approx(same.accuracy.low)
    assert wide.accuracy.high == pytest.approx(same.accuracy.high)
    error = (good.mean() * (1 - good.mean()) / 40) ** 0.5
    assert wide.accuracy.high - wide.accuracy.low == pytest.approx(2 * 1.96 * error, rel=0.15)


def pair(name: str, scores: tuple[float, float, float, float], subset: str) -> list[Answer]:
    """Scores of text 0 and 1 with image 0, then of text 0 and 1 with image 1."""
    c0i0, c1i0, c0i1, c1i1 = scores
    return [
        answer(f"{name}/0", (c0i0, c1i0), subset=subset, pair=name),
        answer(f"{name}/1", (c1i1, c0i1), subset=subset, pair=name),
    ]


PAIRS = {
    "all right": ((0.9, 0.1, 0.2, 0.8), (1, 1, 1)),
    "text only": ((0.9, 0.8, 0.94, 0.95), (1, 0, 0)),
    "image only": ((0.5, 0.6, 0.4, 0.7), (0, 1, 0)),
    "neither": ((0.5, 0.6, 0.55, 0.7), (0, 0, 0)),
    "tied": ((0.5, 0.5, 0.5, 0.5), (0, 0, 0)),
}


@pytest.mark.parametrize(("scores", "expected"), PAIRS.values(), ids=PAIRS)
def test_a_pair_by_its_definition(scores, expected) -> None:
    c0i0, c1i0, c0i1, c1i1 = scores
    text = c0i0 > c1i0 and c1i1 > c0i1
    image = c0i0 > c0i1 and c1i1 > c1i0
    found = {row.measure: row.accuracy.value for row in evaluate(pair("p", scores, "Both")).table}
    assert found == {"text": text, "image": image, "group": text and image}
    assert tuple(found.values()) == expected


def test_pairs() -> None:
    answers = [a for name, (scores, _) in PAIRS.items() for a in pair(name, scores, "Object")]
    answers += pair("last", (0.9, 0.1, 0.2, 0.8), "Relation")
    answers += pair("half", (0.9, 0.1, 0.2, 0.8), "Relation")[:1]  # its other image is missing
    report = evaluate(answers)
    assert report.has_pairs
    assert [(row.subset, row.measure, row.n) for row in report.table] == [
        (subset, measure, n)
        for subset, n in (("Object", 5), ("Relation", 1), ("all", 6))
        for measure in ("text", "image", "group")
    ]
    assert [row.chance for row in report.table[:3]] == [1 / 4, 1 / 4, 1 / 6]
    assert all(row.blind is None and row.by_length is None for row in report.table)
    assert [row.ties for row in report.overall] == [1, 1, 1]
    assert report.n == 12


def test_nothing_to_score() -> None:
    with pytest.raises(DataError, match="got none"):
        evaluate([])
    with pytest.raises(DataError, match="got none"):
        evaluate(pair("half", (0.9, 0.1, 0.2, 0.8), "Both")[:1])


REPORTS = {
    "single": evaluate(SINGLE, context={"data": "made <up>", "model": "m"}, remarks=["A remark"]),
    "pairs": evaluate(pair("p", (0.9, 0.8, 0.94, 0.95), "Both")),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_report_is_read_back(report: ChoiceReport) -> None:
    assert read_result(to_json(report)) == report
    assert len({tuple(row) for row in report.rows()}) == 1


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_in_a_terminal(report: ChoiceReport, width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    console.print(render_terminal(report, width))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in text.splitlines())
    assert "chance" in text
    for row in report.table:
        assert f"{row.accuracy.value:.1%}" in text
    if not report.has_pairs:
        assert "1 tie for the highest score counted as wrong" in " ".join(text.split())


def test_as_a_page() -> None:
    page = render_page(REPORTS["single"])
    assert "50.0% rank-1 accuracy" in page
    assert "made &lt;up&gt;" in page
    assert "A remark." in page
    assert "image" in render_page(REPORTS["pairs"])
