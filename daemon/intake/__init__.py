"""Everything between "a file lies in the inbox" and "its workflow is started".

A scan decides, level-triggered: whatever happened since the last one, it looks at what is there now and takes each file
one step further. Events only wake it early. `docs/operations.md` tells the same as a table.
"""
