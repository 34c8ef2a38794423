"""What is kept of each scored item, and intervals and tests over items."""
