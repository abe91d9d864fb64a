"""The metrics of a service: what its processes count, added up, and how its inboxes and APIs are now."""
