"""Whole jobs: what a command does, callable from Python."""
