"""What is likely wrong with data: copies, outliers, doubtful labels."""
