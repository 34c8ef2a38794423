"""What fine-tuning changed: every measure before and after."""
