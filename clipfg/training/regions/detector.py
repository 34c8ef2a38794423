"""Detectors of transformers: RT-DETR and its like, and OWLv2 or Grounding DINO asked for spans.

A detector is a repository of the hub or a folder. Its code is that of transformers: none of the
repository is executed, and weights are read as `encoders/` reads them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision.ops import nms

from clipfg.encoders.hub import locate
from clipfg.encoders.model_files import ModelSource
from clipfg.encoders.transformers.files import PROCESSORS, WEIGHTS, quiet
from clipfg.encoders.weights import check_readable, damaged, read_model_config
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.training.regions.base import Means, Picture, Proposer, Region

CLOSED = frozenset({"rt_detr", "rt_detr_v2", "d_fine", "detr", "conditional_detr", "yolos"})
"""Detectors of fixed classes, by `model_type`; those are no phrases, and boxes have none."""
OPEN = frozenset({"owlv2", "owlvit", "grounding-dino", "mm-grounding-dino"})
"""Detectors that look for the spans of the picture."""
LEAST = {"owlv2": 0.1, "owlvit": 0.1, "grounding-dino": 0.25, "mm-grounding-dino": 0.25}
LEAST_CLOSED = 0.3
"""The score from which a box counts, as published with the models."""
OVERLAP = 0.7
"""Of two boxes with a larger intersection over union, the surer one is kept."""


def detector(means: Means) -> Proposer:
    """The boxes of `detector:NAME`, the surest first.

    Raises `UsageError` for no name and for a model that is no known detector, `MissingError` for
    files that are not there, `DataError` for a damaged checkpoint.
    """
    name = f"detector:{means.rest}"
    source = locate(means.rest, model=name, offline=means.offline) if means.rest else None
    if source is None:
        raise UsageError(
            f"Expected detector:OWNER/NAME of the hub or detector:FOLDER, got {name!r}; for"
            " example detector:PekingU/rtdetr_v2_r18vd or detector:google/owlv2-base-patch16."
        )
    return Detector.open(name, source).look


@dataclass(frozen=True)
class Detector:
    """A detector's files; its weights are loaded when it is first used."""

    name: str
    folder: Path
    kind: str
    """The `model_type` of its configuration."""
    weights: tuple[Path, ...]
    least: float

    @classmethod
    def open(cls, name: str, source: ModelSource) -> "Detector":
        """Fetch and check the files. Raises as `detector` does."""
        config = source.require("a model configuration", "config.json")
        kind = str(read_model_config(config).get("model_type"))
        if kind not in CLOSED | OPEN:
            raise UsageError(
                f"Expected a detector ({', '.join(sorted(CLOSED | OPEN))}), got {name} of type"
                f" {kind!r}."
            )
        if not source.every(PROCESSORS, markers=PROCESSORS[1:]):
            raise MissingError(f"Expected an image processor in {source}, got none.")
        if kind in OPEN:
            source.tokenizer()
        weights = source.weights(*WEIGHTS)
        for file in weights:
            check_readable(file)
        return cls(name, config.parent, kind, weights, LEAST.get(kind, LEAST_CLOSED))

    def look(self, picture: Picture) -> list[Region]:
        """The boxes in a picture, the surest first; none where there is nothing to look for."""
        if self.kind in OPEN and not picture.spans:
            return []
        image = picture.image
        with torch.no_grad():
            find = self._open if self.kind in OPEN else self._closed
            found = find(image, list(picture.spans))
        boxes, scores = found["boxes"].float().cpu(), found["scores"].float().cpu()
        kept = nms(boxes, scores, OVERLAP).tolist()
        labels = found.get("text_labels") or [""] * len(boxes)
        return [Region(tuple(boxes[k].tolist()), span_in(labels[k], picture.spans)) for k in kept]

    def _closed(self, image: Image.Image, _: list[str]) -> Any:
        inputs = self.processor(images=image, return_tensors="pt")
        outputs = self.model(**inputs)
        sizes = [image.size[::-1]]
        return self.processor.post_process_object_detection(
            outputs, threshold=self.least, target_sizes=sizes
        )[0]

    def _open(self, image: Image.Image, spans: list[str]) -> Any:
        owl = self.kind.startswith("owl")
        asked: Any = [spans] if owl else ". ".join(spans).lower() + "."
        inputs = self.processor(images=image, text=asked, return_tensors="pt", truncation=True)
        outputs = self.model(**inputs)
        more: dict[str, Any] = {"text_labels": [spans]} if owl else {"input_ids": inputs.input_ids}
        return self.processor.post_process_grounded_object_detection(
            outputs, threshold=self.least, target_sizes=[image.size[::-1]], **more
        )[0]

    @cached_property
    def processor(self) -> Any:
        """Resizes images and tokenises spans as the model was trained."""
        from transformers import AutoImageProcessor, AutoProcessor

        return self._load(AutoProcessor if self.kind in OPEN else AutoImageProcessor)

    @cached_property
    def model(self) -> Any:
        """The network, in evaluation mode."""
        from transformers import AutoModelForObjectDetection, AutoModelForZeroShotObjectDetection

        auto = (
            AutoModelForZeroShotObjectDetection
            if self.kind in OPEN
            else (AutoModelForObjectDetection)
        )
        model, report = self._load(auto, output_loading_info=True)
        if missing := sorted(report["missing_keys"]):
            raise DataError(
                f"{self.weights[0]} lacks {len(missing)} of the model's weights (first:"
                f" {missing[0]}); fetch the checkpoint again."
            )
        return model.eval()

    def _load(self, auto: Any, **more: Any) -> Any:
        load: Callable[..., Any] = auto.from_pretrained
        try:
            with quiet():
                return load(self.folder, local_files_only=True, trust_remote_code=False, **more)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise damaged(self.weights[0], error) from None


def span_in(label: str, spans: Sequence[str]) -> str | None:
    """The span that a detector's label names, the longest of several; Grounding DINO's labels are
    those words of the prompt that a box answers to.
    """
    named = [span for span in spans if span.lower() in label.lower()]
    return max(named, key=len, default=None)
