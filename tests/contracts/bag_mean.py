"""A head on bags for the contract's own tests."""

from typing import ClassVar

from tests.contracts.patch_mean import PatchMean


class BagMean(PatchMean):
    name: ClassVar[str] = "bag-mean"
    consumes = "bags"
