"""What classifiers of bags score."""
