"""Accuracy against shots or keys."""
