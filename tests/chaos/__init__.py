"""The chaos runner: faults by a plan, judged from outside by `daemon.checker`. `python -m chaos` from `tests/`."""
