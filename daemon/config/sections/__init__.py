"""The tables of the configuration file, as classes."""
