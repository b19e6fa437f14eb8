"""Connections, statements, migrations, roles and the embedded server."""
