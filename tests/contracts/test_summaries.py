"""Every registered name says in a line of plain words what it is good for."""

import pytest

from clipfg.acquisition.base import STRATEGIES
from clipfg.coresets import CORESETS
from clipfg.data.sources import SOURCES
from clipfg.encoders.loading import FAMILIES
from clipfg.explaining import METHODS
from clipfg.heads import HEADS
from clipfg.heads.transduction import TRANSDUCTIONS
from clipfg.icl.selection import DEMONSTRATIONS
from clipfg.prompting.ensembling import ENSEMBLES

# Data sets have cards instead.
REGISTRIES = [
    CORESETS,
    DEMONSTRATIONS,
    ENSEMBLES,
    FAMILIES,
    HEADS,
    METHODS,
    SOURCES,
    STRATEGIES,
    TRANSDUCTIONS,
]


@pytest.mark.parametrize(
    ("registry", "name"),
    [(registry, name) for registry in REGISTRIES for name in registry],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_a_registered_name_has_a_summary(registry, name) -> None:
    summary = registry.summary(name)
    assert 0 < len(summary) <= 80
    assert "`" not in summary
    assert not summary.endswith(".")


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_no_two_summaries_are_the_same(registry) -> None:
    assert len({registry.summary(name) for name in registry}) == len(registry)
