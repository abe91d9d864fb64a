"""Whether a file is what it is read as: what is doubtful is refused at the claim, and said with both readings."""
