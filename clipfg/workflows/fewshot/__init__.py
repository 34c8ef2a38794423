"""`clipfg fewshot`."""
