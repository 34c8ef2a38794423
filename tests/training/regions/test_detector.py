"""Detectors of transformers with random weights in the published layout, against plain code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw
from torchvision.ops import nms

from clipfg.encoders.model_files import ModelFolder
from clipfg.errors import DataError, MissingError, UsageError
from clipfg.training.regions import Picture, propose
from clipfg.training.regions.detector import Detector, span_in
from clipfg.types import Manifest

SPANS = ("red bill", "wing")


def rt_detr(folder: Path) -> None:
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessor
    from transformers.models.rt_detr import RTDetrResNetConfig

    backbone = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 16, 16],
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        encoder_layers=1,
        d_model=16,
        num_queries=12,
        decoder_in_channels=[16, 16, 16],
        decoder_ffn_dim=16,
        decoder_layers=1,
        decoder_attention_heads=2,
        num_denoising=0,
        num_labels=3,
    )
    RTDetrForObjectDetection(config).save_pretrained(folder)
    RTDetrImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)


def owlv2(folder: Path) -> None:
    from transformers import Owlv2Config, Owlv2ForObjectDetection, Owlv2ImageProcessor

    config = Owlv2Config(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "vocab_size": 60,
            "max_position_embeddings": 16,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 16,
        },
        projection_dim=16,
    )
    model = Owlv2ForObjectDetection(config)
    for weights in model.box_head.parameters():
        weights.data *= 0.1  # or the boxes have no area
    model.save_pretrained(folder)
    Owlv2ImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    clip_tokenizer(folder)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    settings["processor_class"] = "Owlv2Processor"
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def clip_tokenizer(folder: Path) -> None:
    letters = [chr(c) for c in range(97, 123)]
    every = ["!", "<|startoftext|>", "<|endoftext|>", *letters, *(f"{x}</w>" for x in letters)]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(every)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "!",
        "model_max_length": 16,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def grounding_dino(folder: Path) -> None:
    from transformers import (
        BertTokenizerFast,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
        SwinConfig,
    )

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "red", "bill", "wing", "?"]
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"))
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=64,
            patch_size=4,
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=2,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config={
            "model_type": "bert",
            "vocab_size": len(words),
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
        },
        d_model=32,
        encoder_layers=1,
        encoder_ffn_dim=16,
        encoder_attention_heads=2,
        decoder_layers=2,
        decoder_ffn_dim=16,
        decoder_attention_heads=2,
        num_queries=12,
        max_text_len=16,
        fusion_dropout=0.0,
        fusion_droppath=0.0,
    )
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    images = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "rt_detr": rt_detr,
    "owlv2": owlv2,
    "grounding-dino": grounding_dino,
}


@pytest.fixture(scope="module", params=LAYOUTS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp(str(request.param))
    LAYOUTS[request.param](folder)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = Image.new("RGB", (90, 60), "white")
    ImageDraw.Draw(image).ellipse((10, 20, 50, 55), fill="red")
    image.save(tmp_path / "a.png")
    return tmp_path / "a.png"


def opened(folder: Path, least: float) -> Detector:
    found = Detector.open("detector:x", ModelFolder(folder))
    return Detector(found.name, found.folder, found.kind, found.weights, least)


def test_boxes_are_those_of_the_plain_model(folder: Path, picture: Path) -> None:
    detector = opened(folder, 0.0)
    regions = detector.look(Picture(str(picture), (), SPANS))
    assert regions
    boxes, scores, names = plain(detector.kind, folder, Image.open(picture))
    kept = nms(boxes, scores, 0.7)
    torch.testing.assert_close(torch.tensor([one.box for one in regions]), boxes[kept])
    if detector.kind == "owlv2":
        assert [one.phrase for one in regions] == [names[k] for k in kept.tolist()]
    elif detector.kind == "rt_detr":
        assert {one.phrase for one in regions} == {None}
    else:
        assert {one.phrase for one in regions} <= {*SPANS, None}


def plain(kind: str, folder: Path, image: Image.Image) -> tuple[Any, Any, list[str]]:
    """Boxes, scores and spans by the formulas of each model's outputs."""
    detector = opened(folder, 0.0)
    wide, high = image.size
    with torch.no_grad():
        if kind == "rt_detr":
            inputs = detector.processor(images=image, return_tensors="pt")
            out = detector.model(**inputs)
            queries = out.logits.shape[1]
            scores, places = out.logits.sigmoid()[0].flatten().topk(queries)
            centred, sides = out.pred_boxes[0][places // out.logits.shape[2]], (wide, high)
            names = [""] * queries
        else:
            owl = kind == "owlv2"
            text: Any = [list(SPANS)] if owl else "red bill. wing."
            inputs = detector.processor(images=image, text=text, return_tensors="pt")
            out = detector.model(**inputs)
            best = out.logits[0].max(dim=-1)  # before the sigmoid, which makes ties
            scores, centred = best.values.sigmoid(), out.pred_boxes[0]
            # OWLv2 fills pictures up to a square.
            sides = (max(wide, high),) * 2 if owl else (wide, high)
            names = [SPANS[k] for k in best.indices.tolist()] if owl else []
    middle, half = centred[:, :2], centred[:, 2:] / 2
    boxes = torch.cat([middle - half, middle + half], dim=1) * torch.tensor([*sides, *sides])
    more = scores > 0
    return boxes[more], scores[more], names


def test_a_label_is_the_span_that_it_names() -> None:
    assert span_in("Red bill", ("bill", "red bill", "wing")) == "red bill"
    assert span_in("red", ("red bill",)) is None
    assert span_in("", ("red bill",)) is None


def test_without_spans_an_open_detector_finds_nothing(folder: Path, picture: Path) -> None:
    detector = opened(folder, 0.0)
    if detector.kind != "rt_detr":
        assert detector.look(Picture(str(picture))) == []


def test_by_name(folder: Path, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import clipfg.training.regions.detector as module

    monkeypatch.setattr(module, "LEAST", dict.fromkeys(module.LEAST, 0.0))
    monkeypatch.setattr(module, "LEAST_CLOSED", 0.0)
    manifest = Manifest.build("x", {"id": ["a"], "uri": [str(picture)]})
    found = propose(manifest, f"detector:{folder}", spans=[SPANS], most=3)
    ((first, *others),) = found.column("regions") or []
    assert len(others) <= 2
    x0, y0, x1, y1 = first["box"]
    assert 0 <= x0 < x1 <= 90
    assert 0 <= y0 < y1 <= 60


def test_no_foreign_code_and_no_other_models(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="Expected a model configuration"):
        Detector.open("detector:x", ModelFolder(tmp_path))
    config = tmp_path / "config.json"
    config.write_text('{"model_type": "rt_detr", "auto_map": {"AutoModel": "x.Y"}}')
    with pytest.raises(DataError, match="custom code"):
        Detector.open("detector:x", ModelFolder(tmp_path))
    config.write_text('{"model_type": "clip"}')
    with pytest.raises(UsageError, match="got detector:x of type 'clip'"):
        Detector.open("detector:x", ModelFolder(tmp_path))
    config.write_text('{"model_type": "rt_detr"}')
    with pytest.raises(MissingError, match="Expected an image processor"):
        Detector.open("detector:x", ModelFolder(tmp_path))
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "x"}')
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match="is damaged"):
        Detector.open("detector:x", ModelFolder(tmp_path))
