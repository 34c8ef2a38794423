"""Images: decoded upright and safe, and shrunk for pages."""
