"""Data quality: copies, outliers and likely label errors."""
