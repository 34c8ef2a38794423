"""Manifest + encoder -> features, computed once and kept."""
