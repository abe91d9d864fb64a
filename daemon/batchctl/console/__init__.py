"""What people see of a command."""
