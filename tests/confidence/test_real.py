"""The guarantees on features of real images: 100 random splits, one head, logits computed once."""

import numpy as np
import pytest
import torch
from scipy.stats import betabinom, binom

from clipfg.confidence import AnswerColumns, AnswerOptions, Confidence
from clipfg.functional.metrics import expected_calibration_error
from clipfg.functional.similarity import unit_norm
from clipfg.heads import HEADS
from clipfg.heads.support import Support
from clipfg.types import ClassList

SPLITS, N = 100, 500


@pytest.fixture(scope="module", params=["caltech101", "fgvc"])
def images(request, shared):
    data = np.load(shared / "data" / "clip-features" / f"{request.param}.npz", allow_pickle=False)
    x = np.concatenate([data["val_f"], data["test_f"]]).astype(np.float32)
    labels = torch.tensor(np.concatenate([data["val_l"], data["test_l"]])).long()
    keys = unit_norm(torch.tensor(data["keys_16"].astype(np.float32)))
    support = Support(keys, torch.tensor(data["keys_16_l"]).long(), 100)
    head = HEADS.get("gda")(shrinkage=0.3).fit(support.features, support.labels)
    return head, support, unit_norm(torch.tensor(x)), labels


@pytest.mark.shared
def test_guarantees_hold_over_random_splits(images) -> None:
    head, support, x, labels = images
    classes, logits = ClassList(tuple(map(str, range(100)))), head.logits(x)
    hits = logits.argmax(1) == labels
    target = 0.05 if float(hits.double().mean()) > 0.9 else 0.4
    inside, broken, before, after = 0, 0, [], []
    for seed in range(SPLITS):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        held, test = order[:N], order[N:]
        confidence = Confidence.fit(head, support, Support(x[held], labels[held], 100), source="s")
        answers = AnswerColumns(AnswerOptions(target, 0.9), classes, confidence)
        shares = confidence.calibrated(logits[test]).softmax(1)
        covered = int(answers.sets(shares).gather(1, labels[test, None]).sum())
        low, high = betabinom.ppf([0.025, 0.975], len(test), 451, 50)
        inside += low <= covered <= high
        given = answers.answered(shares)
        assert int(given.sum()) > 0
        broken += int((given & ~hits[test]).sum()) > target * int(given.sum())
        raw = logits[test].softmax(1).amax(1)
        before.append(expected_calibration_error(raw.numpy(), hits[test].numpy()))
        after.append(expected_calibration_error(shares.amax(1).numpy(), hits[test].numpy()))
    assert inside >= binom.ppf(0.005, SPLITS, 0.95)
    assert broken <= binom.ppf(0.995, SPLITS, 0.1)
    assert np.mean(after) < np.mean(before) / 2
