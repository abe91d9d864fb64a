"""`python -m daemon` is `batchd`."""

from daemon.main import main

main()
