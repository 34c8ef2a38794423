"""What few-shot evaluation may learn from and what it is tested on."""
