"""Answers in the files of the programs that people work in: `clipfg predict ... --to FORMAT`."""
