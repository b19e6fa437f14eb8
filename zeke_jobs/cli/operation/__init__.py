"""Has commands about the system: run it, watch it, migrate, grant rights, remove."""
