"""Which classes hard negatives come from."""

import torch

from clipfg.encoders import load_encoder
from clipfg.options import FinetuneOptions
from clipfg.workflows.finetune.job import Job
from clipfg.workflows.finetune.learning import _taken_for, gather
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
