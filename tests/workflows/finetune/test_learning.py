"""Which images are learnt from, and which classes hard negatives come from."""

from pathlib import Path

import torch
from PIL import Image

from clipfg.data import synthflora
from clipfg.encoders import load_encoder
from clipfg.options import FinetuneOptions
from clipfg.workflows.finetune.job import Job
from clipfg.workflows.finetune.learning import _taken_for, gather
from clipfg.workflows.finetune.sources import learnt_by
from clipfg.workflows.session import Session


def test_look_alikes_are_the_classes_that_training_images_are_taken_for(tmp_path) -> None:
    options = FinetuneOptions(
        dataset="synthflora", recipe="contrastive", limit=60, precision="fp32", cache_dir=tmp_path
    )
    with Session(options) as session:
        job = Job.of(session)
        data = job.parts.train
        found = gather(session, data, job.encoder, job.recipe, frozenset({"captions"}))
        taken = _taken_for(session, found.manifest, found.examples, job.encoder)
        assert taken is not None
    encoder = load_encoder("builtin:florette", precision="fp32", device="cpu")
    means = [
        torch.nn.functional.normalize(
            torch.nn.functional.normalize(encoder.encode_texts(list(texts)), dim=-1).mean(0), dim=-1
        )
        for texts in found.examples.class_texts
    ]
    expected = torch.zeros_like(taken)
    for pixels, label in zip(found.examples.pixels.images, found.examples.labels, strict=True):
        image = torch.nn.functional.normalize(encoder.encode_images(pixels[None]).pooled[0], dim=0)
        cosines = torch.stack([image @ mean for mean in means])
        expected[label] += (encoder.logit_scale * cosines).softmax(dim=0)
    torch.testing.assert_close(taken, expected, atol=1e-3, rtol=1e-3)


def test_near_copies_of_measured_images_are_not_learnt_from(tmp_path: Path) -> None:
    for number, path in enumerate(synthflora.export(tmp_path / "drawn", 12, size=96)):
        kind = f"flower {number % 3}"
        for split in ("train", "val", "test"):
            folder = tmp_path / "photos" / split / kind
            folder.mkdir(parents=True, exist_ok=True)
            if split == ("val", "test", "train", "train")[number // 3]:
                path.replace(folder / f"{number}.png")
    with Image.open(tmp_path / "photos/test/flower 1/4.png") as image:
        image.crop((3, 3, 93, 93)).save(tmp_path / "photos/train/flower 1/cut.png")
    options = FinetuneOptions(
        dataset=str(tmp_path / "photos"),
        model="builtin:florette",
        recipe="flyp",
        precision="fp32",
        cache_dir=tmp_path / "cache",
    )
    with Session(options) as session:
        job = Job.of(session)
        found, remark = learnt_by(job, job.student())
    assert "1 of 7 training items" in remark
    assert "1 as a near copy" in remark
    assert "cut.png (test/flower 1/4.png)" in remark
    assert len(found.examples) == 6
