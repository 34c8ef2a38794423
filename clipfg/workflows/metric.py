"""How images are compared: by cosine as they are, or on directions that tell labels apart."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from clipfg.errors import UsageError
from clipfg.heads.whitened_mean import WhitenedMean
from clipfg.store import KeyStore
from clipfg.store.index import Index
from clipfg.types import UNLABELLED

MetricName = Literal["cosine", "whitened"]
Map = Callable[[Float[Tensor, "n d"]], Float[Tensor, "n d"]]


@dataclass(frozen=True)
class Metric:
    """A store whose keys are searched, and what puts queries where its keys are.

    `photos` maps unit-norm features of images to unit-norm rows, `texts` those of texts, given the
    store's class texts `[c, d]`.
    """

    store: KeyStore
    photos: Map = lambda x: x
    texts: Callable[[Tensor, Callable[[], Float[Tensor, "c d"]]], Tensor] = lambda x, _: x

    @classmethod
    def of(cls, name: MetricName, store: KeyStore) -> "Metric":
        """`cosine` is that of the keys as they are. `whitened` is learnt from their labels.

        Keys and photos are turned as by the head `whitened-mean` without texts; every key is, also
        one without a label. A text `t` lies in another cone than images: it stands for the
        direction `P (t - mean class text)`, as in that head's prior. The turned keys take as much
        memory as the store has on disk, and are searched exactly.

        Raises `UsageError` for a store with fewer than two labelled classes.
        """
        if name == "cosine":
            return cls(store)
        labels, keys = torch.from_numpy(store.labels), torch.from_numpy(np.array(store.keys))
        known = labels != UNLABELLED
        classes, dense = labels[known].unique(return_inverse=True)
        if len(classes) < 2:
            raise UsageError(
                "Expected keys of two labelled classes or more, which --metric whitened is learnt"
                f" from, got {len(classes)}; search by --metric cosine, or label what is searched."
            )
        head = WhitenedMean(alpha=1.0).fit(keys[known], dense)

        def texts(x: Tensor, of_classes: Callable[[], Tensor]) -> Tensor:
            return normalize((x - of_classes().mean(dim=0)) @ head.projection_, dim=1)

        turned = torch.cat([head.turn(rows) for rows in keys.split(65_536)]).numpy()
        exact = Index(seed=store.index.seed, device=store.index.device)
        return cls(replace(store, keys=turned, index=exact), head.turn, texts)
