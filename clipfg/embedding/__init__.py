"""From a manifest and an encoder to features, computed once and cached."""
