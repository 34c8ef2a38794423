"""Losses: pure functions of embeddings, a file each, named after the method.

They see no encoder and no text, hold no state, and compute in float32 at least, under autocast
too. Embeddings need not be unit-norm. Losses of several terms return them by name beside `loss`.
`docs/losses.md` says what each is for.
"""
