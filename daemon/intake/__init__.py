"""Everything between "a file lies in the inbox" and "its workflow is started".

A scan decides, level-triggered: whatever happened since the last one, it checks what is there now and takes each file
one step further. Events only wake it early. `docs/operations.md` has the same as a table.
"""
