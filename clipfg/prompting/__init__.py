"""From class names to texts: prompt sets and the classifier that they build."""
