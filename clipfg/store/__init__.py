"""The key store: embedded items on disk, searched by cosine."""

from clipfg.store.filtering import parse_where
from clipfg.store.folder import has_store, writing
from clipfg.store.key_store import KeyStore
from clipfg.store.merging import merge
from clipfg.store.searching import Hits
from clipfg.store.verifying import verify

__all__ = ["Hits", "KeyStore", "has_store", "merge", "parse_where", "verify", "writing"]
