"""The key store: embedded items in a folder, searched by cosine."""

from clipfg.store.filtering import parse_where
from clipfg.store.folder import has_store, may_hold_store, read_state, writing
from clipfg.store.key_store import KeyStore
from clipfg.store.merging import compare, merge
from clipfg.store.searching import Hits
from clipfg.store.verifying import verify

__all__ = [
    "Hits",
    "KeyStore",
    "compare",
    "has_store",
    "may_hold_store",
    "merge",
    "parse_where",
    "read_state",
    "verify",
    "writing",
]
