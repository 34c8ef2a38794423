"""Whether a head's guarantees hold on a test set."""
