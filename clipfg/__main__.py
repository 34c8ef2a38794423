"""`python -m clipfg` is `clipfg`."""

from clipfg.cli.main import main

main()
