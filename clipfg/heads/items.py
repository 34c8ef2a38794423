"""Items without their labels, in each form that heads take."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from clipfg.heads.base import FeatureSets, Head, Images


@dataclass(frozen=True)
class Items:
    """n items without their labels: pooled features, and more where a head of the job takes it.

    Of bags, features are the means.
    """

    features: Float[Tensor, "n d"]
    images: Images | None = None
    patches: FeatureSets | None = None
    bags: FeatureSets | None = None

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, which: Tensor) -> "Items":
        """The items that an index array or a mask selects."""
        images = None if self.images is None else self.images[which.cpu()]
        patches, bags = (
            None if sets is None else sets[which.cpu()] for sets in (self.patches, self.bags)
        )
        return Items(self.features[which], images, patches, bags)

    @property
    def compared(self) -> Float[Tensor, "n d"] | FeatureSets:
        """By what an item is told to be like others: its feature, or all those of a bag."""
        return self.features if self.bags is None else self.bags

    def given_to(self, head: type[Head[Any]]) -> Any:
        """What `fit` and `logits` of a head take."""
        forms = {"images": self.images, "patches": self.patches, "bags": self.bags}
        return forms.get(head.consumes, self.features)
