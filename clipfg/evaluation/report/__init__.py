"""The report of one classifier, and of several side by side."""
