"""Which of an item's own texts is true: answers, their report, and how it looks."""
