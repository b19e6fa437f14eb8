"""Commands about the whole: run it, watch it, migrate, give rights, remove."""
