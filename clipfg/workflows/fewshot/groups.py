"""Few-shot with groups: what a split by pictures would have shown, and one answer a group."""

from dataclasses import replace

import torch

from clipfg.confidence.group_answers import GroupAnswers
from clipfg.evaluation.curves.grouped import GroupedFigures
from clipfg.evaluation.statistics.intervals import proportion
from clipfg.evaluation.statistics.repeated import accuracy_over
from clipfg.heads import Head
from clipfg.options import FewshotOptions
from clipfg.types import ClassList, Estimate
from clipfg.workflows.class_texts import class_weights
from clipfg.workflows.fewshot.heads import HeadSet
from clipfg.workflows.fewshot.images import gather_images
from clipfg.workflows.fewshot.items import support_of
from clipfg.workflows.fewshot.trials import by_folds, by_shots
from clipfg.workflows.grouping import mixed_groups
from clipfg.workflows.pool import FeaturePool
from clipfg.workflows.protocol.splits import SupportAndTest
from clipfg.workflows.protocol.support_sets import Shots
from clipfg.workflows.session import Session


def accuracy_by_pictures(
    session: Session[FewshotOptions],
    roles: SupportAndTest,
    shots: Shots,
    seeds: tuple[int, ...],
    heads: HeadSet,
    known: tuple[ClassList, torch.Tensor | None],
) -> Estimate:
    """The first head's accuracy in a split that knows of no groups, with all else the same.

    `known` are the classes whose texts are known already, and those texts.
    """
    job = session.another(replace(session.options, resume=True))  # what is embedded is embedded
    job.encoder, job.views, job.dense = session.encoder, session.views, session.dense
    images = gather_images(job, roles, (shots,), seeds)
    classes, texts = known
    if texts is not None and images.classes.names != classes.names:
        texts = class_weights(job, roles.support.manifest, images.classes)
    support = support_of(job, roles, images, texts)
    first = HeadSet((heads.first,), heads.first, heads.scales)
    if images.test is None:
        held = by_folds(first, support, seeds)
        return accuracy_over(held.trials[-1].predictions == images.support.labels[held.rows])
    trials, _ = by_shots(first, support, images.draws, (shots,), seeds, images.test.items)
    return accuracy_over(trials[-1].predictions == images.test.labels)


def with_answers(
    figures: GroupedFigures,
    head: Head,
    answers: GroupAnswers | None,
    test: FeaturePool,
    classes: int,
) -> GroupedFigures:
    """The figures with the accuracy of one answer for each test group that has one label."""
    if answers is None or test.groups is None:
        return figures
    mixed = torch.from_numpy(mixed_groups(test.groups.numpy(), test.labels))
    kept = (~torch.isin(test.groups, mixed)).nonzero().flatten()
    if not len(kept):
        return figures
    group = test.groups[kept].unique(return_inverse=True)[1]
    labels = torch.from_numpy(test.labels)[kept]
    truth = labels.new_zeros(int(group.max()) + 1).scatter(0, group, labels)
    pooled, kind = answers.start(len(truth), classes), type(head)
    for rows, numbers in zip(kept.split(1024), group.split(1024), strict=True):
        pooled.add(answers.factor * head.logits(test.items[rows].given_to(kind)), numbers)
    right = int((pooled.logits.argmax(dim=1) == truth).sum())
    return replace(figures, answers=proportion(right, len(truth)), rule=answers.rule)
