"""One tiny encoder and its examples for all tests of training."""

import pytest

from clipfg.encoders.checkpoint import CheckpointEncoder
from clipfg.training.batches import Examples
from tests import checkpoints
from tests.training import material


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> CheckpointEncoder:
    """Scored by a softmax."""
    return material.opened(material.tiny_clip(tmp_path_factory.mktemp("training") / "clip"))


@pytest.fixture(scope="session")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> CheckpointEncoder:
    """Scored by a sigmoid."""
    return material.opened(checkpoints.siglip(tmp_path_factory.mktemp("training") / "siglip"))


@pytest.fixture(scope="session")
def examples(clip: CheckpointEncoder) -> Examples:
    """A dozen flowers, three of each of four classes, the last without its class."""
    return material.examples_of(clip, material.flowers())


@pytest.fixture(scope="session")
def siglip_examples(siglip: CheckpointEncoder) -> Examples:
    """The same for the other encoder."""
    return material.examples_of(siglip, material.flowers())
