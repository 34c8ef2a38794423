"""The training loop against plain ones: cut, stopped, resumed, averaged, on one process and two."""

import math
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from clipfg.errors import DataError
from clipfg.training import loop as module
from clipfg.training.loop import History, schedule
from tests.training.tiny import tiny_loop, weights

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "vit"
    tiny_loop(folder)
    return folder


def run_code(code: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **environment}
    )


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.equal(other[name]), name


@pytest.mark.parametrize("changes", [{}, {"trains": "last:1", "crop": 1.0}])
def test_a_killed_run_goes_on_to_the_same_bits(model, tmp_path, changes) -> None:
    """Killed within step 6, after a state that was written between two checks."""
    whole = tiny_loop(model, ema=0.5, **changes)
    history = whole.run()
    code = f"""
import os, signal
from pathlib import Path
from clipfg.training import loop
from tests.training.tiny import tiny_loop
loop.SAVE_SECONDS, loop.SAVING_SHARE = 0.0, 1e9
def killed(step, losses):
    if step == 6:
        os.kill(os.getpid(), signal.SIGKILL)
tiny_loop(Path({str(model)!r}), state=Path({str(tmp_path / "state.pt")!r}), report=killed,
    ema=0.5, **{changes!r}).run()
"""
    assert run_code(code).wait() == -signal.SIGKILL
    seen: list[int] = []
    again = tiny_loop(
        model,
        ema=0.5,
        state=tmp_path / "state.pt",
        report=lambda step, _: seen.append(step),
        **changes,
    )
    assert again.run() == history
    assert seen == [6, 7]
    assert_same(weights(again), weights(whole))
    assert_same(again.average, whole.average)


@pytest.mark.parametrize("changes", [{"micro_batch": 4}, {"recompute": True}])
def test_parts_and_recomputing_change_nothing_but_memory(model, changes) -> None:
    whole = tiny_loop(model)
    cut = tiny_loop(model, **changes)
    for loop in (whole, cut):
        loop.gradients(loop.batches(0))
    for name, weight in whole.trained.items():
        assert_close(cut.trained[name].grad, weight.grad, rtol=1e-3, atol=2e-5)
    curves = [[row["loss"] for row in loop.run().losses] for loop in (whole, cut)]
    assert curves[1] == pytest.approx(curves[0], rel=1e-3)


def test_gradients_are_those_of_a_plain_step(model) -> None:
    loop = tiny_loop(model, mirror=False, crop=1.0)
    batch, towers = loop.batches(0), loop.task.student.towers
    inputs = loop.task.student.encoder.inputs(batch.images())
    tokens = loop.task.student.encoder.tokenizer(list(batch.captions))
    scores = towers.logit_scale.exp() * (
        towers.encode_image(inputs, normalize=True) @ towers.encode_text(tokens, normalize=True).T
    )
    truth = torch.arange(len(batch))
    plain = torch.nn.functional.cross_entropy
    loss = (plain(scores, truth) + plain(scores.T, truth)) / 2
    expected = torch.autograd.grad(loss, list(loop.trained.values()))
    assert loop.gradients(batch)["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    for weight, gradient in zip(loop.trained.values(), expected, strict=True):
        assert_close(weight.grad, gradient, rtol=1e-3, atol=2e-5)


def test_two_processes_learn_what_one_does(model, tmp_path) -> None:
    """A batch of 7 is cut into 3 and 4; the second process has no say in validation."""
    whole = tiny_loop(model, batch_size=7)
    history = whole.run()
    code = f"""
import os, torch
from pathlib import Path
from tests.training.tiny import tiny_loop, weights
loop = tiny_loop(Path({str(model)!r}), batch_size=7)
assert loop.processes.num_processes == 2
if os.environ["RANK"] == "1":
    loop.validate = lambda: 1 / 0
history = loop.run()
torch.save((weights(loop), vars(history)), Path({str(tmp_path)!r}) / os.environ["RANK"])
torch.distributed.destroy_process_group()
"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [run_code(code, RANK=str(i), LOCAL_RANK=str(i), **shared) for i in range(2)]
    assert [one.wait() for one in started] == [0, 0]
    (first, told), (second, _) = (torch.load(tmp_path / str(i)) for i in range(2))
    assert_same(first, second)
    for name, weight in weights(whole).items():
        learnt = first[name]
        if name.endswith("in_proj_bias"):
            # Softmax cancels the bias of keys: its gradient is rounding, which Adam blows up.
            for each in (learnt, weight):
                each.view(3, -1)[1] = 0
        assert_close(learnt, weight, rtol=1e-3, atol=1e-4)
    rows = [row["loss"] for row in history.losses]
    assert [row["loss"] for row in told["losses"]] == pytest.approx(rows, rel=1e-3)
    assert [value for _, value in told["checks"]] == pytest.approx(
        [value for _, value in history.checks], rel=1e-2
    )


def test_the_average_is_that_of_a_plain_loop(model) -> None:
    loop = tiny_loop(model, ema=0.9)
    mean = weights(loop)
    step = loop._step

    def watched(batch, number):
        losses = step(batch, number)
        for name, weight in loop.trained.items():
            mean[name] = 0.9 * mean[name] + 0.1 * weight.detach()
        return losses

    loop._step = watched
    loop.run()
    for name, value in loop.average.items():
        assert_close(value, mean[name], rtol=1e-5, atol=1e-7)


def test_validation_stops_the_run_and_the_best_weights_stay(model) -> None:
    measured: list[torch.Tensor] = []
    values = iter([0.1, 0.5, 0.4, 0.3, 0.9])

    def validate(task) -> float:
        measured.append(task.student.towers.visual.proj.detach().clone())
        return next(values)

    loop = tiny_loop(model, validate=validate, checks=8, patience=2)
    history = loop.run()
    assert history.checks == [(0, 0.1), (1, 0.5), (2, 0.4), (3, 0.3)]
    assert "did not improve in 2 checks" in history.stopped
    assert loop.task.student.towers.visual.proj.equal(measured[1])


def test_the_base_stays_where_nothing_is_better(model) -> None:
    loop = tiny_loop(model, validate=lambda _: 0.0)
    base = weights(loop)
    loop.run()
    assert_same(weights(loop), base)


def test_a_loss_that_is_not_finite_ends_the_run_at_the_best_check(model) -> None:
    checks = iter(range(99))
    loop = tiny_loop(model, checks=4, validate=lambda _: float(next(checks)))
    losses, calls = loop.task.losses, iter(range(99))

    def diverging(made, batch):
        factor = math.nan if next(calls) == 5 else 1.0
        return {name: value * factor for name, value in losses(made, batch).items()}

    loop.task.losses = diverging
    history = loop.run()
    assert history.diverged
    assert "the loss was nan at step 6" in history.stopped
    assert "--set lr=0.0001" in history.stopped
    assert [step for step, _ in history.checks] == [0, 2, 4]
    assert all(weight.isfinite().all() for weight in loop.trained.values())


def test_a_full_disk_is_said_before_training(model, tmp_path, monkeypatch) -> None:
    loop = tiny_loop(model, state=tmp_path / "state.pt", validate=lambda _: 1 / 0)
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("clipfg.training.state.shutil.disk_usage", lambda _: full)
    with pytest.raises(DataError, match=r"free in .* for a checkpoint, got 0 MiB"):
        loop.run()


@pytest.mark.parametrize(("count", "size"), [(1, 6), (3, 500), (5, 2)])
def test_few_pictures(model, count, size) -> None:
    """One picture has nothing to be told from; more than there are is all of them."""
    loop = tiny_loop(model, count=count, batch_size=size, steps=0, epochs=2.0)
    history = loop.run()
    assert len(history.losses) == loop.steps == 2 * max(1, count // size)
    assert all(math.isfinite(row["loss"]) for row in history.losses)


def test_states_between_checks_come_by_time(model, tmp_path, monkeypatch) -> None:
    saved: list[int] = []
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(module, "SAVING_SHARE", 1e9)
    monkeypatch.setattr(module, "save_state", lambda path, state: saved.append(state["done"]))
    tiny_loop(model, state=tmp_path / "state.pt").run()
    assert saved == list(range(9))
    saved.clear()
    monkeypatch.setattr(module, "SAVE_SECONDS", 1e9)
    tiny_loop(model, state=tmp_path / "state.pt").run()
    assert saved == [0, 4, 8]


def test_a_long_history_is_kept_short() -> None:
    history = History(every=4)
    for step in range(10):
        history.add(step, {"loss": float(step * step)})
    assert [row["step"] for row in history.losses] == [2.5, 6.5, 9.5]
    assert [row["loss"] for row in history.losses] == pytest.approx([3.5, 31.5, 72.5])


def test_the_rate_rises_and_falls() -> None:
    rates = [schedule(step / 100, 0.1) for step in range(101)]
    assert rates.index(max(rates)) == 10
    assert max(rates) == 1
    assert rates[100] == pytest.approx(0)
    assert all(0 <= rate <= 1 for rate in rates)


def test_texts_of_a_frozen_tower_are_asked_for_once(model) -> None:
    asked: list[str] = []
    plain = tiny_loop(model, trains="images", mirror=False, crop=1.0)
    encoder = plain.task.student.encoder

    def frozen(texts, path):
        asked.extend(texts)
        return torch.nn.functional.normalize(encoder.encode_texts(texts, path), dim=-1)

    loop = tiny_loop(model, trains="images", mirror=False, crop=1.0, frozen_texts=frozen)
    curves = [[row["loss"] for row in each.run().losses] for each in (plain, loop)]
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)
    assert len(asked) == len(set(asked)) <= 14
    assert not tiny_loop(model, frozen_texts=frozen).task.student._frozen_texts


def test_a_frozen_image_tower_is_not_run(model) -> None:
    loop = tiny_loop(model, trains="texts", mirror=False, crop=1.0)
    student, pixels = loop.task.student, loop.batches.examples.pixels.images
    with torch.no_grad():
        seen = torch.nn.functional.normalize(student.encode_images(pixels), dim=-1)
    kept = tiny_loop(model, trains="texts", mirror=False, crop=1.0, constants={"images": seen})
    kept.task.student._images = None  # it would fail
    curves = [[row["loss"] for row in each.run().losses] for each in (loop, kept)]
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)
