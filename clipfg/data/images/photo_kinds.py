"""Kinds of pictures that need the libraries of an extra, by their suffixes."""

HEIF = frozenset({".heic", ".heif", ".hif"})
RAW = frozenset(
    {*(".cr2", ".cr3", ".nef", ".nrw", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".srw")}
)
"""Suffixes in lower case."""

LIBRARIES = {"pillow_heif": HEIF, "rawpy": RAW}
INSTALL = 'pip install "clipfg[photos]"'
