"""What an evaluation with few labels may learn from, and what it is tested on."""
