"""Pictures: decoded upright and safe, and shrunk for pages."""
