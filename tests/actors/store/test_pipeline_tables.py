from collections.abc import Callable
from contextlib import closing
from importlib.resources import files

from psycopg2.extensions import connection as Connection

from tests.actors.database import execute
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

FIRST = "0001_pipeline_tables.sql"


def type_of_embedding(conn: Connection) -> str:
    sql = "SELECT udt_name FROM information_schema.columns WHERE table_name = 'story_embeddings' AND column_name = 'embedding'"
    return str(execute(conn, sql)[0][0])


def test_embeddings_are_vectors_where_pgvector_can_be_had(conn: Connection) -> None:
    available = execute(conn, "SELECT FROM pg_available_extensions WHERE name = 'vector'")
    assert type_of_embedding(conn) == ("vector" if available else "_float4")


def test_without_pgvector_embeddings_are_arrays(new_database: Callable[..., str], server_url: str) -> None:
    # If the role may not create extensions, the migration does the same as on a server without pgvector.
    url = new_database()
    with closing(connect(url)) as owner, owner.cursor() as cursor:
        role = f"plain_{owner.info.dbname}"
        cursor.execute(f"CREATE ROLE {role}; GRANT CREATE ON SCHEMA public TO {role}; SET ROLE {role}")
        try:
            cursor.execute(files("actors.store").joinpath("migrations", FIRST).read_text())
            assert type_of_embedding(owner) == "_float4"
        finally:
            cursor.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")


def test_tables_that_exist_stay_as_they_are(new_database: Callable[..., str]) -> None:
    with closing(connect(new_database())) as conn, conn.cursor() as cursor:
        columns = "id uuid PRIMARY KEY, type text NOT NULL, name text, url text, theirs text"
        cursor.execute(f"CREATE TABLE sources ({columns})")
        cursor.execute("INSERT INTO sources VALUES (gen_random_uuid(), 'rss', 'kept', NULL, 'theirs')")
        cursor.execute(
            "CREATE TABLE story_embeddings (story_id uuid PRIMARY KEY, model_version text, embedding real[])"
        )
        migrate.migrate(conn, ["actors.store"])
        assert execute(conn, "SELECT name, theirs FROM sources") == [("kept", "theirs")]
        columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'sources' ORDER BY 1"
        assert [row[0] for row in execute(conn, columns)] == ["id", "name", "theirs", "type", "url"]
        assert type_of_embedding(conn) == "_float4"
