"""Explain: where in photos classes are seen, and which phrases speak for them."""
