"""Logits and labels -> a report with intervals."""
