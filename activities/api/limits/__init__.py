"""Who calls when, and how many at once: the scheduler, the search for what the API takes well, rates, shares."""
