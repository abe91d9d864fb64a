"""What calls carry to be let in: secrets, and OAuth tokens that are asked for."""
