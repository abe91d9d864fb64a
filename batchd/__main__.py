"""`python -m batchd` is `batchd`, wherever it is installed."""

from batchd.programs import batchd

batchd()
