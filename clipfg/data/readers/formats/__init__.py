"""Annotation formats, one short reader each, told by their content.

A reader gives `Annotations`: pictures as a file names them, and rows of a picture with a label, a
box, or both. Finding the pictures, placing boxes in them and everything else is the same for all.
"""
