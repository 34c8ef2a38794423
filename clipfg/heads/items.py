"""Items without their labels, in each form that heads take."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from clipfg.heads.base import FeatureSets, Head, Images


@dataclass(frozen=True)
class Items:
    """n items without their labels: pooled features, and more where a head of the job takes it."""

    features: Float[Tensor, "n d"]
    images: Images | None = None
    patches: FeatureSets | None = None

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, which: Tensor) -> "Items":
        """The items that an index array or a mask selects."""
        images = None if self.images is None else self.images[which.cpu()]
        patches = None if self.patches is None else self.patches[which.cpu()]
        return Items(self.features[which], images, patches)

    def given_to(self, head: type[Head[Any]]) -> Any:
        """What `fit` and `logits` of a head take."""
        forms = {"images": self.images, "patches": self.patches}
        return forms.get(head.consumes, self.features)
