"""So many calls a minute, an hour, a day: counted on disk, over all workers and restarts."""
