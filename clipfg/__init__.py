"""clipfg: fine-grained image recognition with CLIP-like encoders, on features embedded once."""

__version__ = "0.1.0"
