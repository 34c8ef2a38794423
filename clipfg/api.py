"""The jobs of the command line, from Python.

    run = clipfg.zeroshot("synthflora", limit=200)
    run.rows()          # what the command prints, as dictionaries
    run.folder          # where its files are, or None

Every function takes the options of its command as keyword arguments, with underscores
(`batch_size=64`, `html=True`); numbers, paths and lists are taken as they are. A job returns a
`Run`: `rows()`, `folder`, `done`, `skipped`, and what else it has found. `progress` is called with
the items done and their number. With `session=`, a job uses the cache and the encoders of a
`clipfg.Session` that is open already. Errors that a person can fix are `clipfg.ClipfgError`s.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from clipfg import options as kinds
from clipfg.errors import UsageError
from clipfg.options import JobOptions, resolve
from clipfg.types import Progress, StageProgress
from clipfg.workflows.bags.run import BagsRun, run_bags
from clipfg.workflows.coreset.compare import ComparisonRun, run_comparison
from clipfg.workflows.coreset.run import CoresetRun, compares, run_coreset
from clipfg.workflows.embed import EmbedRun, run_embed
from clipfg.workflows.explain.run import ExplainRun, run_explain
from clipfg.workflows.fewshot.run import FewshotRun, run_fewshot
from clipfg.workflows.finetune.run import FinetuneRun, run_finetune
from clipfg.workflows.icl.demos import DemosRun, run_demos
from clipfg.workflows.icl.run import IclRun, run_icl
from clipfg.workflows.index.run import IndexRun, run_add, run_build, run_remove
from clipfg.workflows.index.store import store_info, verify_store
from clipfg.workflows.lint.run import LintRun, run_lint
from clipfg.workflows.predict import PredictRun, run_predict
from clipfg.workflows.prototypes.run import PrototypeRun
from clipfg.workflows.prototypes.show import ShownHead, run_show
from clipfg.workflows.retrieve.run import RetrieveRun, run_retrieve
from clipfg.workflows.session import Session
from clipfg.workflows.suggest.run import SuggestRun, run_suggest
from clipfg.workflows.suggest.simulate import SimulationRun, run_simulation
from clipfg.workflows.zeroshot.choices import ChoiceRun
from clipfg.workflows.zeroshot.run import ZeroshotRun, run_zeroshot

Data = str | Path | None
OneOrMore = str | Path | Iterable[str | Path]
Job = TypeVar("Job", bound=JobOptions)
Done = TypeVar("Done")


def zeroshot(data: Data = None, **options: Any) -> ZeroshotRun | ChoiceRun:
    """Measure zero-shot accuracy on labelled images: `run.report`, or `run.comparison`.

    Data of choices, such as "sugarcrepe", give a `ChoiceRun`: `run.report`, a `ChoiceReport`.
    """
    return _perform(run_zeroshot, kinds.ZeroshotOptions, data, options)


def predict(*photos: OneOrMore, **options: Any) -> PredictRun:
    """Classify unlabelled images, by `classes=` or by a saved `head=`: a row for each."""
    paths = [Path(photo) for photo in _each(photos)]
    return _perform(lambda job: run_predict(job, paths), kinds.PredictOptions, None, options)


def explain(*photos: OneOrMore, **options: Any) -> ExplainRun | PrototypeRun:
    """Show where two classes are seen in photos, and by which phrases: `run.explanations`.

    `for_class=` and `vs_class=` name the two. With `method="prototypes"`, the prototypes of a
    `head=` that speak for the answer.
    """
    paths = [Path(photo) for photo in _each(photos)]
    return _perform(lambda job: run_explain(job, paths), kinds.ExplainOptions, None, options)


def show_head(head: str | Path, data: Data = None, **options: Any) -> ShownHead:
    """Draw a saved head of patch prototypes, and with `data` measure it: `run.page`, `run.remarks`.

    `without="17,23"` switches prototypes off, `within=` draws some of the classes.
    """
    return _perform(lambda job: run_show(job, Path(head)), kinds.HeadShowOptions, data, options)


def fewshot(data: Data = None, **options: Any) -> FewshotRun:
    """Train classifiers on a few labelled images per class: `run.curve`, `run.head`."""
    return _perform(run_fewshot, kinds.FewshotOptions, data, options)


def bags(data: Data = None, **options: Any) -> BagsRun:
    """Train classifiers on labels of whole bags: `run.report`; `save=` keeps the first."""
    return _perform(run_bags, kinds.BagsOptions, data, options)


def finetune(data: Data = None, **options: Any) -> FinetuneRun | None:
    """Train an encoder by `distill=True` or a `recipe=`: `run.report`, `run.model` for `model=`.

    None in a process that helps another, as all but the first under `accelerate launch`.
    """
    return _perform(run_finetune, kinds.FinetuneOptions, data, options)


def embed(data: Data = None, **options: Any) -> EmbedRun:
    """Embed images: `run.features`, written to `output=` where that is given."""
    return _perform(run_embed, kinds.EmbedOptions, data, options)


def lint(data: Data = None, **options: Any) -> LintRun:
    """Find what is likely wrong with data: `run.findings`."""
    return _perform(run_lint, kinds.LintOptions, data, options)


def suggest(data: Data = None, **options: Any) -> SuggestRun | SimulationRun:
    """Choose which images to label next; with `simulate=True`, replay strategies."""

    def work(session: Session[kinds.SuggestOptions]) -> SuggestRun | SimulationRun:
        return run_simulation(session) if session.options.simulate else run_suggest(session)

    return _perform(work, kinds.SuggestOptions, data, options)


def build_index(data: Data = None, **options: Any) -> IndexRun:
    """Make a key store hold `data` and nothing else."""
    return _perform(run_build, kinds.IndexBuildOptions, data, options)


def add_to_index(data: Data = None, **options: Any) -> IndexRun:
    """Update a key store with `data`."""
    return _perform(run_add, kinds.IndexAddOptions, data, options)


def remove_from_index(ids: str | Iterable[str] = (), **options: Any) -> IndexRun:
    """Remove items of a key store by id, or by `where=` conditions.

    It embeds nothing, so that `progress` is never called and a `session` not needed.
    """
    for word in ("progress", "session"):
        options.pop(word, None)
    chosen = [str(one) for one in _each([ids])]
    return run_remove(resolve(kinds.IndexRemoveOptions, options), chosen)


def index_info(store: str | Path | None = None, **options: Any) -> dict[str, Any]:
    """What a key store holds, by which encoder, and how it is searched."""
    return store_info(resolve(kinds.IndexShowOptions, {"store": store, **options}))


def verify_index(store: str | Path | None = None, **options: Any) -> list[str]:
    """What is wrong with a key store, a sentence each."""
    return verify_store(resolve(kinds.IndexShowOptions, {"store": store, **options}))


def retrieve(*query: OneOrMore, **options: Any) -> RetrieveRun:
    """Find the images nearest to texts and photos, which make one query: a row for each hit."""
    parts = [str(part) for part in _each(query)]
    return _perform(lambda job: run_retrieve(job, parts), kinds.RetrieveOptions, None, options)


def coreset(data: Data = None, **options: Any) -> CoresetRun | ComparisonRun:
    """Condense labelled images to a small key store, or compare strategies."""

    def work(session: Session[kinds.CoresetOptions]) -> CoresetRun | ComparisonRun:
        return run_comparison(session) if compares(session.options) else run_coreset(session)

    return _perform(work, kinds.CoresetOptions, data, options)


def demos(photo: str | Path, **options: Any) -> DemosRun:
    """Choose in-context demonstrations for a photo from a store: `run.messages`."""
    return _perform(lambda job: run_demos(job, Path(photo)), kinds.DemosOptions, None, options)


def icl(data: Data = None, **options: Any) -> IclRun:
    """Measure in-context accuracy of vision-language models: `run.comparison`."""
    return _perform(run_icl, kinds.IclOptions, data, options)


def _perform(
    work: Callable[[Session[Job]], Done], kind: type[Job], data: Data, options: dict[str, Any]
) -> Done:
    progress: Progress | None = options.pop("progress", None)
    shared: Session[Any] | None = options.pop("session", None)
    if data is not None:
        named = options.pop("dataset", None)
        if named is not None and str(named) != str(data):
            raise UsageError(f"{str(data)!r} and dataset={str(named)!r} differ: give one.")
        options["dataset"] = data
    given = resolve(kind, options)
    stages = None if progress is None else lambda _: _without_notes(progress)
    job = Session(given, stages) if shared is None else shared.another(given, stages)
    with job as session:
        return work(session)


def _without_notes(progress: Progress) -> StageProgress:
    return lambda done, total, note="", /: progress(done, total)  # noqa: ARG005


def _each(given: Iterable[OneOrMore]) -> list[str | Path]:
    """All texts and paths of `given`, those in lists too; a text is one, whatever its letters."""
    listed = ([part] if isinstance(part, str | Path) else part for part in given)
    return [one for part in listed for one in part]
