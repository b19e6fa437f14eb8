"""Has connections, statements, migrations, roles and the embedded server."""
