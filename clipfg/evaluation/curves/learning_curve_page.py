"""A learning curve as one HTML page."""

from html import escape

from clipfg.evaluation.curves.cells import difference_cells
from clipfg.evaluation.curves.learning_curve import LearningCurve, LearningCurveCell
from clipfg.evaluation.reliability.page import sections
from clipfg.evaluation.report.terminal import bounds, percent
from clipfg.pages import html


def render_page(curve: LearningCurve) -> str:
    """The curve, a table of every figure, and what they mean."""
    title = " · ".join(value for value in curve.context.values() if value) or "learning curve"
    lead = (
        f"{curve.n:,} test images of {curve.classes:,} classes; guessing scores"
        f" {percent(1 / curve.classes)}. Every choice of a head was made on the images that it"
        " learns from."
    )
    columns = ("head", "shots", "right", "95 % interval", "draws from to", "mean per class")
    against = (f"points against {curve.first}", "p", "seconds to fit")
    body = html.table((*columns, *against), [_row(cell) for cell in curve.cells])
    parts = [
        html.header("clipfg fewshot", _headline(curve), lead, tuple(curve.context.items())),
        html.section("Accuracy by shots", curve.chart().to_svg()),
        html.section("The numbers", body),
        *(sections(curve.reliability) if curve.reliability else ()),
        html.footer(curve.notes),
    ]
    return html.page(title, parts)


def _headline(curve: LearningCurve) -> str:
    best = max(
        (cell for cell in curve.cells if cell.head == curve.first), key=lambda cell: cell.per_class
    )
    return f"{percent(best.top1.value)} right with {best.label}, {_shots(best)}"


def _shots(cell: LearningCurveCell) -> str:
    if not cell.shots:
        return "no image"
    return f"{cell.shots} {'shot' if cell.shots == '1' else 'shots'}"


def _row(cell: LearningCurveCell) -> str:
    cells = (
        f'<td class="n">{escape(_shots(cell))}</td>',
        f'<td class="n strong">{percent(cell.top1.value)}</td>',
        f'<td class="n">{bounds(cell.top1)}</td>',
        f'<td class="n">{100 * min(cell.by_seed):.1f} – {100 * max(cell.by_seed):.1f}</td>',
        f'<td class="n">{percent(cell.mean_per_class)}</td>',
        *difference_cells(cell.against),
        f'<td class="n">{cell.seconds:.2f}</td>',
    )
    return f'<th scope="row">{escape(cell.label)}</th>{"".join(cells)}'
