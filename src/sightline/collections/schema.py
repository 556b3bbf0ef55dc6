"""The tables, and how a database of an older version becomes one of this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sightline.collections.database import Session
from sightline.errors import StoreUnavailable

Migration = tuple[str, ...]

# One entry a version, never changed once released. {key}, {bytes} and {real} are the database's own words.
COMMON: tuple[Migration, ...] = (
    (
        """CREATE TABLE collections (
            id {key}, name TEXT NOT NULL UNIQUE,
            model_name TEXT NOT NULL, model_version TEXT NOT NULL, model_sha256 TEXT NOT NULL,
            dimension BIGINT NOT NULL, calibration TEXT NOT NULL, tags TEXT NOT NULL, keep_pictures BIGINT NOT NULL,
            created {real} NOT NULL, faces BIGINT NOT NULL, users BIGINT NOT NULL, last_number BIGINT NOT NULL)""",
        """CREATE TABLE faces (
            collection BIGINT NOT NULL, number BIGINT NOT NULL, face_id TEXT NOT NULL, sighting TEXT NOT NULL,
            image_id TEXT NOT NULL, external_image_id TEXT, confidence {real} NOT NULL, details TEXT,
            box_left {real} NOT NULL, box_top {real} NOT NULL, box_width {real} NOT NULL, box_height {real} NOT NULL,
            user_number BIGINT,
            PRIMARY KEY (collection, number), UNIQUE (collection, face_id), UNIQUE (collection, sighting))""",
        "CREATE INDEX faces_user ON faces (collection, user_number) WHERE user_number IS NOT NULL",
        """CREATE TABLE users (
            collection BIGINT NOT NULL, number BIGINT NOT NULL, user_id TEXT NOT NULL, created {real} NOT NULL,
            faces BIGINT NOT NULL, vector BIGINT,
            PRIMARY KEY (collection, number), UNIQUE (collection, user_id))""",
        "CREATE INDEX users_vector ON users (collection, vector) WHERE vector IS NOT NULL",
        """CREATE TABLE requests (
            collection BIGINT NOT NULL, operation TEXT NOT NULL, token TEXT NOT NULL, digest TEXT NOT NULL,
            reply TEXT NOT NULL, made {real} NOT NULL, PRIMARY KEY (collection, operation, token))""",
        "CREATE INDEX requests_made ON requests (collection, made)",
        """CREATE TABLE pictures (
            collection BIGINT NOT NULL, number BIGINT NOT NULL, data {bytes} NOT NULL,
            PRIMARY KEY (collection, number))""",
    ),
)


def migrate(session: Session, words: Mapping[str, str], own: Sequence[Migration] = ()) -> None:
    """Bring the tables up to this version; `own` are the database's further statements, a version each.

    The session must be the only one that migrates. Raises `StoreUnavailable` for tables of a newer version.
    """
    session.rows("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
    found = session.rows("SELECT version FROM schema_version")
    version = int(found[0][0]) if found else 0
    if not found:
        session.rows("INSERT INTO schema_version VALUES (0)")
    if version > len(COMMON):
        raise StoreUnavailable(f"the face store has version {version}; this Sightline knows {len(COMMON)} and older")
    for number in range(version, len(COMMON)):
        for statement in COMMON[number] + (own[number] if number < len(own) else ()):
            session.rows(statement.format(**words))
    session.rows("UPDATE schema_version SET version = ?", len(COMMON))
