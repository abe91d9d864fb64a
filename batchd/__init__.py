"""What a wheel installs: the programs, and inside it the packages that stand beside it in the repository."""
