"""What there is to learn from texts: captions, spans, hard negatives and their control."""
