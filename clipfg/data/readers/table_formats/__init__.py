"""Tables of images as files: CSV, TSV, JSON lines, Parquet and Excel, read in columns."""
