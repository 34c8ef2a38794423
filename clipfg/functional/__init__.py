"""Pure tensor maths: no files, no names, no state."""
