"""Which weights of an encoder are trained.

Towers of all libraries are taken apart in one way: a tower's blocks are its longest row of equal
modules, what comes before them is its stem, and what comes after its head.
"""

import re
from collections.abc import Iterator

from torch import nn

from clipfg.errors import UsageError
from clipfg.training.lora import add_lora, add_low_rank

_IMAGE = re.compile(r"^(visual|vision_model|visual_projection|vision_head|dense_feature_head)\b")
_SCALARS = re.compile(r"^logit_")
_STEM = re.compile(
    r"embed|conv1|conv_stem|class_emb|positional|ln_pre|pre_layernorm|pre_layrnorm|cls_|pos_|reg_"
)

_PROJECTION = re.compile(
    r"^(visual\.proj|visual\.head\.proj\.weight|visual\.attnpool\.c_proj\.weight"
    r"|visual_projection\.weight)$"
)

KINDS = "all, images, texts, heads, projection, scale, last:N, lora:RANK or adapter:RANK"


def choose_parts(model: nn.Module, parts: str) -> None:
    """Let gradients through to some weights of a model, and to no others.

    `parts` is one of, or several joined by `+`:

    - `all`, `images`, `texts`: both towers or one of them;
    - `heads`: what follows the blocks of both towers (norms, pools, projections);
    - `last:N`: the last N blocks of the image tower, and both heads;
    - `projection`: the image tower's linear map into the joint space;
    - `lora:RANK`: updates of low rank to the queries, keys and values of both towers;
    - `adapter:RANK`: an update of low rank to the image projection;
    - `scale`: the factor and the offset of cosines.

    Raises `UsageError` for other words, and for blocks or a projection that the tower lacks.
    """
    model.requires_grad_(False)
    for part in parts.split("+"):
        word, _, number = part.strip().partition(":")
        if word == "lora":
            add_lora(model, _number(part, number))
            continue
        if word == "adapter":
            add_low_rank(model, projection(model), _number(part, number))
            continue
        for name, weight in model.named_parameters():
            if _wanted(model, name, word, number, part):
                weight.requires_grad_()
    if not any(weight.requires_grad for weight in model.parameters()):
        raise UsageError(f"Expected weights to train, {parts!r} names none of this model.")


def _wanted(model: nn.Module, name: str, word: str, number: str, part: str) -> bool:
    image, scalar = bool(_IMAGE.match(name)), bool(_SCALARS.match(name))
    if word == "scale":
        return scalar
    if scalar:
        return False
    if word == "all":
        return True
    if word in ("images", "texts"):
        return image == (word == "images")
    if word == "heads":
        return _is_head(model, name)
    if word == "projection":
        return name == projection(model)
    if word == "last":
        return _is_head(model, name) or any(
            name.startswith(f"{block}.") for block in _last_blocks(model, _number(part, number))
        )
    raise UsageError(f"Expected parts to train ({KINDS}), got {part!r}.")


def projection(model: nn.Module) -> str:
    """The weight that maps pooled image features into the joint space.

    Raises `UsageError` for a tower that pools in it, such as SigLIP's.
    """
    for name, _ in model.named_parameters():
        if _PROJECTION.match(name):
            return name
    raise UsageError(
        "Expected an image tower that ends in a projection, this one has none; train heads or"
        " last:1 instead."
    )


def _number(part: str, text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise UsageError(f"Expected a number from 1 after the colon, got {part!r}.")
    return int(text)


def _is_head(model: nn.Module, name: str) -> bool:
    """Whether a weight follows the blocks of its tower."""
    inside = any(name.startswith(f"{stack}.") for stack in stacks(model).values())
    return not inside and not _STEM.search(name)


def _last_blocks(model: nn.Module, count: int) -> list[str]:
    stack = stacks(model)["images"]
    blocks = [name for name, _ in model.get_submodule(stack).named_children()]
    if count > len(blocks):
        raise UsageError(f"Expected at most {len(blocks)} blocks to train, got {count}.")
    return [f"{stack}.{name}" for name in blocks[-count:]]


def stacks(model: nn.Module) -> dict[str, str]:
    """The name of the module that holds the blocks of each tower: `images` and `texts`.

    Raises `UsageError` for a tower without such a row.
    """
    found: dict[str, tuple[int, str]] = {}
    for size, name in _rows(model):
        tower = "images" if _IMAGE.match(name) else "texts"
        found[tower] = max(found.get(tower, (0, "")), (size, name))
    if len(found) < 2:
        raise UsageError("Expected two towers with rows of equal blocks, got another model.")
    return {tower: name for tower, (_, name) in found.items()}


def _rows(model: nn.Module) -> Iterator[tuple[int, str]]:
    """Rows of two or more modules of one kind, by name, with their number of weights."""
    for name, module in model.named_modules():
        children = list(module.children())
        if isinstance(module, nn.ModuleList | nn.Sequential) and len(children) > 1:
            size = sum(weight.numel() for weight in module.parameters())
            if size and len({type(child) for child in children}) == 1:
                yield size, name


def trains_images(model: nn.Module) -> bool:
    """Whether anything of the image tower is trained."""
    return any(w.requires_grad for name, w in model.named_parameters() if _IMAGE.match(name))


def trains_texts(model: nn.Module) -> bool:
    """Whether anything of the text tower is trained."""
    return any(
        w.requires_grad
        for name, w in model.named_parameters()
        if not _IMAGE.match(name) and not _SCALARS.match(name)
    )
