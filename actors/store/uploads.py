"""Stores an upload that is too large for a job's payload. The payload then has only the upload's id."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json

from actors.store import SQL


def save(conn: Connection, source_id: UUID, items: Sequence[Mapping[str, Any]], uploaded_by: str | None = None) -> UUID:
    """Store an upload's items. The caller must send ingest-from-upload with the returned id in the same transaction."""
    told = Json([dict(item) for item in items])
    saved = SQL.value(conn, "upload_save", source_id=str(source_id), uploaded_by=uploaded_by, items=told)
    return UUID(str(saved))
