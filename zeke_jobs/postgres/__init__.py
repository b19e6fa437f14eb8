"""Contains the code for connections, statements, migrations, database roles and the embedded PostgreSQL server."""
