"""The training of `builtin:florette`."""
