"""The APIs of other shapes that the mock can be: each face beside the account that it holds its callers to."""
