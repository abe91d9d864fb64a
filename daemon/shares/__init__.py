"""How worker processes can share what an API allows: who may have how many calls in flight."""
