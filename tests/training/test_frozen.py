"""What frozen blocks make of an input is computed once, and is what they would make of it."""

from functools import partial

import pytest
import torch

from clipfg.encoders import load_encoder
from clipfg.training import frozen
from clipfg.training.batches import Batches, Sampling
from clipfg.training.student import Student
from tests import checkpoints
from tests.training import tiny

HOW = Sampling(batch_size=7, seed=0, mirror=True)


@pytest.fixture(params=["clip", "siglip"])
def encoder(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)


def counted(student: Student, tower: str) -> list[int]:
    """The batch sizes that a tower's frozen blocks compute from now on."""
    seen: list[int] = []
    for block in student.frozen[tower].blocks:
        forward, compute, last = block.forward.func, *block.forward.args

        def count(tokens, *rest, compute=compute, **options):
            seen.append(len(tokens))
            return compute(tokens, *rest, **options)

        block.forward = partial(forward, count, last)
    return seen


@pytest.mark.parametrize("parts", ["last:1", "heads", "projection"])
def test_same_features_and_gradients_without_computing(clip, examples, parts) -> None:
    batch = Batches(examples, HOW)(0)
    needs = frozenset({"images", "patches", "captions"})
    plain, student = Student(clip, parts), Student(clip, parts)
    student.remember(examples.pixels.images, examples.texts, mirrored=True)
    seen = [counted(student, tower) for tower in ("images", "texts")]
    for each in (plain, student):
        made = each(batch, needs)
        (made["images"] @ made["captions"].T).square().sum().backward()
        each.found = made
    assert seen == [[], []]
    for name in needs:
        torch.testing.assert_close(student.found[name], plain.found[name])
    for own, other in zip(student.parameters(), plain.parameters(), strict=True):
        assert (own.grad is None) == (other.grad is None)
        if own.grad is not None:
            torch.testing.assert_close(own.grad, other.grad, atol=1e-5, rtol=1e-4)


def test_every_library_has_frozen_blocks(encoder, examples) -> None:
    student = Student(encoder, "heads")
    student.remember(examples.pixels.images[:3], examples.texts[:2])
    seen = [counted(student, tower) for tower in ("images", "texts")]
    known = student.encode_images(examples.pixels.images[:2])
    student.encode_texts(examples.texts[:2])
    assert seen == [[], []]
    torch.testing.assert_close(
        known, Student(encoder, "heads").encode_images(examples.pixels.images[:2])
    )
    student.encode_images(examples.pixels.images[2:4])  # one is new: all are computed
    assert set(seen[0]) == {2}


def test_blocks_of_many_widths(tmp_path) -> None:
    """A convolutional tower, whose maps shrink while their channels grow; texts of two lengths."""
    folder = checkpoints.dual_encoder(tmp_path / "model", convolutional=True)
    encoder = load_encoder(str(folder), precision="fp32", device="cpu")
    noise = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 32, 32), generator=noise, dtype=torch.uint8)
    texts = ("red", "a photo of a red flower")
    student = Student(encoder, "heads")
    plain = student.encode_images(images), student.encode_texts(texts[:1])
    student.remember(images, texts)
    seen = [counted(student, tower) for tower in ("images", "texts")]
    torch.testing.assert_close(student.encode_images(images), plain[0])
    torch.testing.assert_close(student.encode_texts(texts[:1]), plain[1])
    assert seen == [[], []]


def test_what_is_trained_is_never_handed_on(encoder) -> None:
    assert not any(map(len, Student(encoder, "all").frozen.values()))
    student = Student(encoder, "images")
    assert not student.frozen["images"]
    blocks = Student(encoder, "last:1").frozen["images"]
    assert not any(w.requires_grad for block in blocks.blocks for w in block.parameters())


def test_formats_are_kept_apart(clip, examples) -> None:
    student = Student(clip, "last:1")
    with torch.autocast("cpu", torch.bfloat16):
        student.remember(examples.pixels.images)
    seen = counted(student, "images")
    exact = student.encode_images(examples.pixels.images[:2])
    assert seen
    torch.testing.assert_close(
        exact, Student(clip, "last:1").encode_images(examples.pixels.images[:2])
    )


def test_too_much_for_the_memory_is_computed_anew(clip, examples, monkeypatch) -> None:
    monkeypatch.setattr(frozen, "machine_memory", lambda: 1000)
    student = Student(clip, "last:1")
    student.remember(examples.pixels.images)
    seen = counted(student, "images")
    student.encode_images(examples.pixels.images[:2])
    assert seen


def test_a_loop_learns_the_same(tmp_path, monkeypatch) -> None:
    """With and without, over more steps than there are images and mirror images."""
    found = []
    for limit in (frozen.SHARE, 0.0):
        monkeypatch.setattr(frozen, "SHARE", limit)
        loop = tiny.tiny_loop(tmp_path / "model", trains="last:1", crop=1.0)
        seen = []
        loop.report = lambda step, losses, seen=seen: seen.append(losses["loss"])
        images = counted(loop.task.student, "images")
        loop.run()
        found.append((seen, len(images)))
    (known, few), (plain, many) = found
    assert known == pytest.approx(plain, rel=1e-4)
    assert few < many
