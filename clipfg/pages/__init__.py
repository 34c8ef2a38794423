"""HTML pages and charts that need no server and load nothing."""
