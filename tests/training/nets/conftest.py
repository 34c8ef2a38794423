"""Shape annotations of the losses are enforced while they are tested."""

from jaxtyping import install_import_hook

install_import_hook(["clipfg.training.losses", "clipfg.training.nets"], "beartype.beartype")
