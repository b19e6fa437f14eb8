"""Has commands about the system: run and watch it, migrate the database, grant rights, remove the installation."""
