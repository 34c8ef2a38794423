"""How images are compared: by cosine as they are, or on directions that tell labels apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from clipfg.errors import UsageError
from clipfg.store import KeyStore
from clipfg.store.index import Index
from clipfg.types import UNLABELLED

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

MetricName = Literal["cosine", "whitened"]
Map: TypeAlias = "Callable[[Float[Tensor, 'n d']], Float[Tensor, 'n d']]"


@dataclass(frozen=True)
class Metric:
    """A store whose keys are searched, and what puts queries where its keys are.

    `photos` maps unit-norm features of images to unit-norm rows, `texts` those of texts, given the
    store's class texts `[c, d]`; neither changes anything where rows are compared `as_encoded`.
    """

    store: KeyStore
    photos: Map = lambda x: x
    texts: Callable[[Tensor, Callable[[], Float[Tensor, "c d"]]], Tensor] = lambda x, _: x
    as_encoded: bool = True

    @classmethod
    def of(cls, name: MetricName, store: KeyStore) -> Metric:
        """`cosine` is that of the keys as they are. `whitened` is learnt from their labels.

        Keys and photos are turned as by the head `whitened-mean` without texts; every key is, also
        one without a label. A text `t` lies in another cone than images: it stands for the
        direction `P (t - mean class text)`, as in that head's prior. The turned keys take as much
        memory as the store has on disk, and are searched exactly.

        Raises `UsageError` for a store with fewer than two labelled classes.
        """
        if name == "cosine":
            return cls(store)
        import torch
        from torch.nn.functional import normalize

        from clipfg.heads.whitened_mean import WhitenedMean

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
        return cls(replace(store, keys=turned, index=exact), head.turn, texts, as_encoded=False)
