"""FG-CLIP models filled from a checkpoint: nothing is missing, and nothing is lost in silence."""

import logging
from collections.abc import Collection, Mapping

import torch
from torch import nn

from clipfg.encoders.base import TextPath
from clipfg.encoders.fgclip.files import FgClipFiles
from clipfg.encoders.fgclip.model import FgClip
from clipfg.errors import DataError

logger = logging.getLogger("clipfg")

TRAINING = ("logit_scale_finegraind", "logit_scale_hardneg")
"""Scales of training's own losses: not every checkpoint has them, and no feature needs them."""
UNUSED = (*TRAINING, "dense_feature_head.probe")
DERIVED = ".position_ids"
"""Counted, not learnt: in checkpoints of old versions of transformers."""


def load_model(
    kind: type[FgClip], files: FgClipFiles, lengths: Mapping[TextPath, int]
) -> nn.Module:
    """The model with the weights of a checkpoint, in float32.

    Weights that it does not use are named in a warning; those of training alone in the details.
    Raises `DataError` for missing weights, what torch raises for wrong shapes.
    """
    from safetensors.torch import load_file

    model = empty_model(kind, files.config, lengths)
    state = {name: t.float() for path in files.weights for name, t in load_file(path).items()}
    wanted = dict(model.named_parameters())
    if "logit_scale" in state:
        for name in wanted.keys() & set(TRAINING):
            state.setdefault(name, state["logit_scale"].reshape(()).clone())
    if missing := [name for name in wanted if name not in state]:
        raise DataError(
            f"{files.weights[0]} lacks {len(missing)} of the model's weights (first: {missing[0]});"
            " fetch the checkpoint again."
        )
    _name_unused(files, wanted, state)
    model.load_state_dict({name: state[name] for name in wanted}, assign=True)
    return model


def empty_model(
    kind: type[FgClip], config: Mapping[str, object], lengths: Mapping[TextPath, int]
) -> FgClip:
    """The model without memory for its weights, which are `meta` tensors."""
    with torch.device("meta"):
        model = kind(config, lengths)
    for module in model.modules():  # buffers that no checkpoint has
        if "position_ids" in module._buffers:
            count = module._buffers["position_ids"].shape[-1]  # type: ignore[union-attr]
            module._buffers["position_ids"] = torch.arange(count).expand(1, -1)
    return model


def _name_unused(files: FgClipFiles, wanted: Collection[str], state: Collection[str]) -> None:
    quiet = [name for name in UNUSED if name in state]
    if quiet:
        logger.debug(f"Weights that only training uses: {', '.join(quiet)}")
    extra = sorted(name for name in state if name not in wanted and name not in UNUSED)
    if extra := [name for name in extra if not name.endswith(DERIVED)]:
        logger.warning(
            f"{files.folder} has {len(extra)} weights that FG-CLIP {files.version} does not use:"
            f" {', '.join(extra)}"
        )
