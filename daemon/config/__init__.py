"""What the service is told: settings and secrets."""
