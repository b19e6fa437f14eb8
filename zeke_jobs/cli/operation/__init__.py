"""Has the commands that run and watch the system, migrate the database, grant rights, and remove the installation."""
