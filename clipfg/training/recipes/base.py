"""What a recipe is: the losses, what is trained, and every number of a run."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from clipfg.errors import UsageError
from clipfg.registry import Registry, closest


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an encoder is fine-tuned. Subclasses are named after their method and give defaults."""

    name: ClassVar[str] = ""
    """Its name in `RECIPES`."""
    source: ClassVar[str] = ""
    """The paper, or what it is that this project changes."""

    losses: str = "contrastive"
    """A weighted sum of terms (`clipfg recipes losses`), such as `contrastive + 0.5 regions`."""
    trains: str = "all"
    """`all`, `images`, `texts`, `heads`, `projection`, `last:N`, `lora:RANK`, `adapter:RANK`,
    `scale`, or several joined by +."""
    objective: Literal["retrieval", "classes"] = "retrieval"
    """What validation measures: Recall@1 of captions and images, or accuracy on classes."""
    epochs: float = 8.0
    """Times that each image is seen."""
    steps: int = 0
    """Number of batches; 0 for as many as `epochs` are."""
    batch_size: int = 64
    micro_batch: int = 0
    """Images in memory at once, where fewer than a batch; gradients stay those of the batch."""
    lr: float = 0.0
    """The highest learning rate of AdamW, after a linear rise and before a cosine fall to 0; 0 to
    choose it by short trials on validation images."""
    warmup: float = 0.1
    """Share of the steps with a rising rate."""
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.98
    gradient_clip: float = 1.0
    """The largest norm of a gradient."""
    max_scale: float = 100.0
    """The largest factor on cosines."""
    ema: float = 0.0
    """Of the moving average of weights that is measured and kept; 0 for the weights themselves."""
    mirror: bool = True
    """Whether half of the images are mirrored."""
    crop: float = 1.0
    """The least share of the sides that is shown."""
    keep: float = 0.97
    """The share of the base's accuracy on classes, on validation images, that must be kept."""
    proposals: str = "auto"
    """Where regions come from: `boxes`, `attention`, `grid` or `detector:NAME`; `auto` is the
    data's own, else attention."""
    proposed: int = 8
    """Regions of an image, at most."""
    teacher: Literal["auto", "crops", "dense"] = "auto"
    """How the base sees regions: cut out, or read from its dense map; `auto` is that which names
    more regions rightly, where the data name any, else crops."""
    regions: int = 0
    """Of these, how many a step looks at; 0 for none."""
    negatives: int = 0
    """Hard negative texts an image and step, for `hard-negatives`."""
    views: int = 1
    """Views of an image that a step looks at."""
    temperature: float = 0.1
    """Of losses that do not take the encoder's own factor (supcon, varcon, dclip)."""
    checks: int = 10
    """Times that validation measures the run."""
    patience: int = 4
    """Checks without a better value after which the run stops."""
    recompute: bool = False
    """Whether activations are computed again in the backward pass, which saves memory."""

    def steps_for(self, per_epoch: int) -> int:
        """The number of steps, given those of an epoch."""
        return self.steps or max(1, round(self.epochs * per_epoch))


RANGES: dict[str, tuple[float, float]] = {
    "batch_size": (1, 1e9),
    "checks": (1, 1e9),
    "clusters": (2, 1e9),
    "crop": (0.01, 1),
    "gradient_clip": (1e-9, 1e9),
    "max_scale": (1, 1e9),
    "patience": (1, 1e9),
    "temperature": (1e-3, 1e9),
    "views": (1, 1e9),
    **dict.fromkeys(("beta1", "beta2", "ema"), (0, 0.999999)),
    **dict.fromkeys(("keep", "momentum", "warmup"), (0, 1)),
}
"""The least and the most of numbers that do not go from 0 to any."""

RECIPES: Registry[type[Recipe]] = Registry("recipe", "clipfg.recipes")
RECIPES.register_all(
    "clipfg.training.recipes",
    ("distill", "distill:Distill", "Region-text distillation; the default of --distill"),
    ("contrastive", "contrastive:Contrastive", "Images against their captions; the plain baseline"),
    ("sigmoid", "sigmoid:Sigmoid", "Images against their captions, by SigLIP's pairwise loss"),
    ("dclip", "dclip:Dclip", "Distillation as published, which leaks captions: to compare with"),
    ("fgclip", "fgclip:FgClip", "Long and short captions, regions, and phrases nearly true"),
    ("cm-cgns", "cm_cgns:CmCgns", "Patches and sentences, negatives guided by clusters"),
    ("flyp", "flyp:Flyp", "Images against texts of their classes; for few labelled images"),
    ("clip-lora", "clip_lora:ClipLora", "Low-rank updates of both towers, for few labelled images"),
    ("prolip-encoder", "prolip_encoder:ProlipEncoder", "The image projection alone, held close"),
    ("adapter", "adapter:Adapter", "A low-rank update of the image projection; the least change"),
    ("supcon", "supcon:SupCon", "Captions, and images of one class together"),
    ("varcon", "varcon:VarCon", "Captions, and images near their class's centre"),
    (
        "patch-prototypes",
        "patch_prototypes:PatchPrototypes",
        "Patches fit for the head of that name; for labelled images",
    ),
)


def load_recipe(name: str, changes: Iterable[str] = ()) -> Recipe:
    """A recipe with some numbers changed. Raises `UsageError` as `changed` does."""
    return changed(RECIPES.get(name)(), changes)


def changed(recipe: Recipe, changes: Iterable[str]) -> Recipe:
    """The recipe with `NAME=VALUE` changes.

    A change of `epochs` alone counts for recipes of so many `steps` too. Raises `UsageError` for an
    unknown name, a value of another kind or range, and both of these.
    """
    kinds = get_type_hints(type(recipe))
    names = [one.name for one in fields(recipe)]
    given: dict[str, Any] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in names:
            raise UsageError(
                f"Expected NAME=VALUE with a number of the recipe, got {change!r}."
                f"{closest(name, names)} Known: {', '.join(names)}."
            )
        given[name] = _value(name, text.strip(), kinds[name])
    if "epochs" in given:
        if given.get("steps"):
            raise UsageError("epochs and steps cannot be combined: each says how long to train.")
        given["steps"] = 0
    return replace(recipe, **given)


def _value(name: str, text: str, kind: Any) -> Any:
    wrong = UsageError(f"Expected {name} to be {_in_words(kind)}, got {text!r}.")
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise wrong
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise wrong
        return text.lower() == "true"
    try:
        value = kind(text)
    except ValueError:
        raise wrong from None
    if kind in (int, float):
        least, most = RANGES.get(name, (0, 1e9))
        if not least <= value <= most:
            raise UsageError(f"Expected {name} to be from {least:g} to {most:g}, got {text!r}.")
    return value


def _in_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(get_args(kind))
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "a text")
