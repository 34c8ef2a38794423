"""Fine-tuning: an encoder trained on one's own images, and what that changed."""
