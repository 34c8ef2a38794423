"""The methods by name: each says where in images texts are seen."""

from typing import Protocol

from jaxtyping import Float, UInt8
from torch import Tensor

from clipfg.encoders import Encoder
from clipfg.registry import Registry


class Method(Protocol):
    """Maps of texts over images, callable on plain tensors."""

    def __call__(
        self,
        encoder: Encoder,
        pixels: UInt8[Tensor, "b 3 h w"],
        texts: Float[Tensor, "t d"],
    ) -> Float[Tensor, "b t rows cols"]:
        """A map of each text over each image, in float32.

        `pixels` are images that `encoder.preprocessing` has resized; `texts` are unit-norm
        features, of a sentence or of a class. Larger is more; the unit is the method's own. Raises
        `UsageError` for a tower that the method cannot look into.
        """


METHODS: Registry[Method] = Registry("method of explanation", "clipfg.explaining")
METHODS.register_all(
    "clipfg.explaining",
    ("dense", "dense:dense", "Cosine of each patch's own feature with the text"),
    ("legrad", "legrad:legrad", "Gradients of the score by the attention of every block"),
    ("grad-eclip", "grad_eclip:grad_eclip", "Gradients by the values that are pooled last"),
    ("rollout", "rollout:rollout", "Attention through all blocks, the same for every text"),
)
