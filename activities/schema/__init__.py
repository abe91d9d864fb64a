"""The Table Schema that rows must fit: what it says, and rows held to it. Pure; reads and writes nothing."""
