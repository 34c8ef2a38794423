"""Data sets from their publishers: fetched, checked and unpacked."""
