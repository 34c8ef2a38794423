"""Explain photos: where the likeliest classes are seen, and by which phrases."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipfg.data.readers.class_files import read_class_list
from clipfg.data.readers.pictures import read_images
from clipfg.errors import UsageError
from clipfg.options import ExplainOptions
from clipfg.prompting.prompt_set import loose
from clipfg.registry import closest
from clipfg.types import ClassList
from clipfg.workflows.class_texts import named_ensemble, named_prompts, zero_shot
from clipfg.workflows.dataset import Dataset
from clipfg.workflows.explain.explainer import Pair
from clipfg.workflows.explain.explanation import Explanation
from clipfg.workflows.explain.page import PAGE, write_explanations
from clipfg.workflows.explain.photos import check_explainable, explain_photos, make_explainer
from clipfg.workflows.prototypes.run import METHOD, PrototypeRun, explain_by_prototypes
from clipfg.workflows.prototypes.saved import PrototypeHead, parse_without
from clipfg.workflows.run_folder import Run
from clipfg.workflows.session import Session


@dataclass(frozen=True)
class ExplainRun(Run):
    """Finished explanations, and the page that shows them."""

    explanations: tuple[Explanation, ...]
    page: Path
    table: list[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        """A row per map, as `Explanation.row` has it."""
        return self.table


def run_explain(
    session: Session[ExplainOptions], photos: Sequence[Path] = ()
) -> ExplainRun | PrototypeRun:
    """Compare two classes on each photo: `--for` and `--vs`, or the two likeliest.

    With `--method prototypes`, show what of the head speaks for the answer.

    Photos that cannot be read go to the session's failures. Raises `ClipfgError`s.
    """
    options = session.options
    if options.method == METHOD:
        known = _prototypes(options)
        return explain_by_prototypes(session, _photos(session, photos, known.classes)[0], known)
    if options.head is not None or options.without is not None:
        raise UsageError("--head and --without are for --method prototypes.")
    data, classes = _photos(session, photos)
    pair = _pair(options, classes)
    prompts, ensemble = named_prompts(options, data.manifest), named_ensemble(options)
    session.open_encoder(data)
    check_explainable(session, data, classes, options.method)
    facts = {"photos": [str(photo) for photo in photos], "prompts": prompts.name}
    with session.run_folder(data.name, **facts) as folder:
        head = zero_shot(session, prompts, classes, ensemble)
        explainer = make_explainer(session, classes, head, prompts, options.method, options.phrases)
        explained = explain_photos(session, explainer, data, [pair] * len(data))
        table, details = write_explanations(folder, explained, explainer, options.method)
        folder.results = {"method": options.method, "photos": details}
    skipped = len(session.failures)
    page = folder.path / PAGE
    return ExplainRun(folder.path, len(explained), skipped, tuple(explained), page, table)


def _prototypes(options: ExplainOptions) -> PrototypeHead:
    """The head to explain by. Raises `UsageError` for options that it has no use for."""
    if options.head is None:
        raise UsageError(
            "--method prototypes explains by a head; save one by `clipfg fewshot --heads"
            " patch-prototypes --save FILE` and name it by --head."
        )
    for flag, given in (
        ("--for and --vs", options.for_class or options.vs_class),
        ("--phrases", options.phrases),
        ("--classes", options.classes),
    ):
        if given:
            raise UsageError(f"{flag} cannot be combined with --method prototypes.")
    known = PrototypeHead.load(options.head)
    if options.without is None:
        return known
    return replace(known, head=known.head.without(parse_without(options.without)))


def _photos(
    session: Session[ExplainOptions], photos: Sequence[Path], known: ClassList | None = None
) -> tuple[Dataset, ClassList]:
    """What to explain, and among which classes, where none are `known`.

    Raises `UsageError` for neither or both.
    """
    options = session.options
    if not photos:
        if options.dataset is None:
            raise UsageError("Name photos or folders of them, or --dataset NAME|PATH.")
        data = session.dataset()
        return data, known or data.classes
    if options.dataset is not None:
        raise UsageError(f"--dataset {options.dataset} and photos cannot be combined.")
    classes = known
    if classes is None:
        if options.classes is None:
            raise UsageError("Give --classes FILE (class names, one per line).")
        classes = read_class_list(options.classes)
    found = Dataset(read_images(photos))
    session.say(found)
    return found.limited(options.limit, options.seed), classes


def _pair(options: ExplainOptions, classes: ClassList) -> Pair | None:
    """The classes of `--for` and `--vs`; None where neither is given. Raises `UsageError`s."""
    if options.for_class is None and options.vs_class is None:
        return None
    if options.for_class is None or options.vs_class is None:
        raise UsageError("--for and --vs go together: name the two classes to compare, or neither.")
    first, second = _index(options.for_class, classes), _index(options.vs_class, classes)
    if first == second:
        raise UsageError(
            f"--for and --vs name the same class, {classes.names[first]!r}; name two classes."
        )
    return first, second


def _index(name: str, classes: ClassList) -> int:
    """A class by its name, in any case and punctuation."""
    if name in classes:
        return classes.index(name)
    alike = [at for at, other in enumerate(classes.names) if loose(other) == loose(name)]
    if len(alike) == 1:
        return alike[0]
    raise UsageError(
        f"Expected one of {len(classes):,} classes, got {name!r}.{closest(name, classes.names)}"
    )
