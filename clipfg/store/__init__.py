"""The key store: embedded items on disk, searched by cosine."""

from clipfg.store.filtering import parse_where
from clipfg.store.folder import writing
from clipfg.store.key_store import KeyStore
from clipfg.store.searching import Hits

__all__ = ["Hits", "KeyStore", "parse_where", "writing"]
