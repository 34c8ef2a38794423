"""The loop over images: each is asked about, and a row of the answers file is written at once."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from clipfg.errors import ItemError
from clipfg.options import IclOptions
from clipfg.types import ClassList, Failure
from clipfg.workflows.icl.demonstrations import Demonstration, voted
from clipfg.workflows.icl.figures import IclOutcome
from clipfg.workflows.icl.questions import QuestionBuilder
from clipfg.workflows.icl.scorer import LvlmScorer, over_classes
from clipfg.workflows.pool import FeaturePool
from clipfg.workflows.session import Session

logger = logging.getLogger("clipfg")


def ask_about_all(
    session: Session[IclOptions],
    pool: FeaturePool,
    builder: QuestionBuilder,
    scorer: LvlmScorer | None,
    zero_shot: Float[Tensor, "n c"],
    path: Path,
) -> dict[int, IclOutcome]:
    """The outcome of each image that could be asked about, by its position in the pool, ascending.

    Without a scorer only the labels shown vote. `path` gets a row per image, as it is done.
    """
    finder, progress = builder.finder, session.progress("Asking")
    outcomes: dict[int, IclOutcome] = {}
    reused = 0
    with path.open("w", encoding="utf-8") as file:
        for i, (identity, uri) in enumerate(zip(pool.ids, pool.uris, strict=True)):
            query = pool.features[i]
            shown = finder.select(query)
            scores = candidates = None
            try:
                if scorer is not None or finder.plan.choices is not None:
                    truth = int(pool.labels[i])
                    question = builder.ask(identity, uri, query, shown, zero_shot[i], truth)
                    candidates = question.labels
                if scorer is not None:
                    answers, kept = scorer.scores(question)
                    scores = over_classes(answers, question.labels, len(finder.classes))
                    reused += kept
            except ItemError as error:
                if session.options.strict:
                    raise
                session.failures.add(Failure(identity, uri, "answer", str(error)))
                continue
            votes = voted(shown, len(finder.classes))
            outcomes[i] = IclOutcome(votes, scores, candidates)
            row = _row(pool, i, shown, outcomes[i], zero_shot[i], finder.classes)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            if progress is not None:
                progress(i + 1, len(pool))
    if scorer is not None:
        logger.info(
            f"Queried {scorer.lvlm.name} on {len(outcomes):,} images ({reused:,} from the cache)"
        )
    return outcomes


def _row(
    pool: FeaturePool,
    i: int,
    shown: Sequence[Demonstration],
    outcome: IclOutcome,
    zero_shot: Float[Tensor, " c"],
    classes: ClassList,
) -> dict[str, Any]:
    def best(scores: Tensor | None) -> str | None:
        return None if scores is None else classes.names[int(scores.argmax())]

    among = None
    if outcome.candidates is not None and len(outcome.candidates) < len(classes):
        among = [classes.names[label] for label in outcome.candidates]
    return {
        "id": pool.ids[i],
        "uri": pool.uris[i],
        "label": classes.names[int(pool.labels[i])],
        "answer": best(outcome.scores),
        "vote": best(outcome.votes) if shown else None,
        "zero_shot": best(zero_shot),
        "among": among,
        "demonstrations": [one.id for one in shown],
        "shown": [classes.names[one.label] for one in shown],
        "similarities": [round(one.similarity, 6) for one in shown],
    }
