"""HTML pages and charts that need no server and load nothing."""

from clipfg.pages.rendering import image_source, render

__all__ = ["image_source", "render"]
