"""Objects (ours and others'), our activities, media, and who ever received what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.effects import KnownObject
from gateway.preferences import NOTHING, Preferences
from gateway.store.database import dump, from_ms, load, to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from gateway.store.database import Database, type_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object as kept: ``document`` without context; ``prefs`` the one answer that goes with it.

    ``own_prefs`` are its author's words when it was published or last edited (ours only).
    """

    id: str
    local: bool
    type: str
    owner: str
    visibility: Visibility
    document: Mapping[str, object]
    prefs: Preferences
    published: datetime
    own_prefs: Preferences = NOTHING
    in_reply_to: str | None = None
    updated: datetime | None = None
    deleted: datetime | None = None

    @property
    def known(self) -> KnownObject:
        """Return what effects need to know."""
        return KnownObject(
            id=self.id, owner=self.owner, visibility=self.visibility, local=self.local,
            deleted=self.deleted is not None, updated=self.updated or self.published, type=self.type,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One of our activities: ``body`` are the bytes every recipient gets."""

    id: str
    actor: str
    type: str
    object: str
    visibility: Visibility
    body: bytes
    created: datetime
    undone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """One uploaded file; its bytes are named by ``sha256``."""

    id: str
    owner: str
    name: str
    media_type: str
    size: int
    sha256: str
    alt: str
    created: datetime
    object: str | None = None


class Objects:
    """Rows of ``object``, ``activity``, ``media`` and ``recipient``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def save(self, stored: Stored, tags: Iterable[str] = ()) -> None:
        """Insert or replace an object."""
        self._db.run(
            "INSERT INTO object VALUES (:id, :local, :type, :owner, :visibility, :document, :prefs, :own_prefs,"
            " :in_reply_to, :published, :updated, :deleted) ON CONFLICT (id) DO UPDATE SET type = excluded.type,"
            " visibility = excluded.visibility, document = excluded.document, prefs = excluded.prefs,"
            " own_prefs = excluded.own_prefs, in_reply_to = excluded.in_reply_to, updated = excluded.updated,"
            " deleted = excluded.deleted",
            id=stored.id, local=int(stored.local), type=stored.type, owner=stored.owner,
            visibility=stored.visibility.value, document=dump(dict(stored.document)), prefs=dump(stored.prefs.as_json()),
            own_prefs=dump(stored.own_prefs.as_json()), in_reply_to=stored.in_reply_to,
            published=to_ms(stored.published), updated=to_ms(stored.updated) if stored.updated else None,
            deleted=to_ms(stored.deleted) if stored.deleted else None,
        )  # fmt: skip
        self._db.run("DELETE FROM object_tag WHERE object = :id", id=stored.id)
        for tag in sorted({tag.lower() for tag in tags}):
            self._db.run("INSERT INTO object_tag VALUES (:id, :tag)", id=stored.id, tag=tag)

    def get(self, object_id: str) -> Stored | None:
        """Return an object, a deleted one too."""
        row = self._db.one("SELECT * FROM object WHERE id = :id", id=object_id)
        return _stored(row) if row else None

    def by_owner(self, owner: str, *, limit: int = 20, open_only: bool = True) -> list[Stored]:
        """Return an author's living objects, newest first."""
        rows = self._db.rows(
            "SELECT * FROM object WHERE owner = :owner AND deleted IS NULL"
            " AND (:open_only = 0 OR visibility IN ('public', 'unlisted')) ORDER BY published DESC, id DESC LIMIT :limit",
            owner=owner, limit=limit, open_only=int(open_only),
        )  # fmt: skip
        return [_stored(row) for row in rows]

    def by_tag(self, tag: str, limit: int = 20) -> list[Stored]:
        """Return our own living public posts with a hashtag, newest first."""
        rows = self._db.rows(
            "SELECT o.* FROM object_tag t JOIN object o ON o.id = t.object WHERE t.tag = :tag AND o.local = 1"
            " AND o.deleted IS NULL AND o.visibility = 'public' ORDER BY o.published DESC, o.id DESC LIMIT :limit",
            tag=tag.lower(), limit=limit,
        )  # fmt: skip
        return [_stored(row) for row in rows]

    def replies(self, object_id: str, limit: int = 100) -> list[Stored]:
        """Return living open replies to an object, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM object WHERE in_reply_to = :id AND deleted IS NULL"
            " AND visibility IN ('public', 'unlisted') ORDER BY published, id LIMIT :limit",
            id=object_id, limit=limit,
        )  # fmt: skip
        return [_stored(row) for row in rows]

    def owned_local_ids(self, ids: Iterable[str]) -> dict[str, Preferences]:
        """Return the preferences of those of ``ids`` that are our own objects (or media of them)."""
        found: dict[str, Preferences] = {}
        for candidate in ids:
            row = self._db.one(
                "SELECT prefs FROM object WHERE local = 1 AND (id = :id OR id ="
                " (SELECT object FROM media WHERE :id LIKE '%/media/' || id || '/%'))",
                id=candidate,
            )
            if row:
                found[candidate] = Preferences.from_json(load(row["prefs"]))
        return found

    def bodies_about(self, ref: str) -> list[bytes]:
        """Return the bytes of every Create and Update that we sent about an object, or the object of a media file."""
        rows = self._db.rows(
            "SELECT body FROM activity WHERE type IN ('Create', 'Update') AND (object = :ref OR object ="
            " (SELECT object FROM media WHERE :ref LIKE '%/media/' || id || '/%'))",
            ref=ref,
        )
        return [bytes(row["body"]) for row in rows]

    def count_local(self) -> int:
        """Return how many living posts are ours."""
        return int(self._db.value("SELECT count(*) FROM object WHERE local = 1 AND deleted IS NULL") or 0)

    def of_owner_to_bury(self, owner: str) -> list[str]:
        """Return the ids of an author's living objects."""
        return [r["id"] for r in self._db.rows("SELECT id FROM object WHERE owner = :o AND deleted IS NULL", o=owner)]

    def save_activity(self, sent: Sent) -> None:
        """Keep one of our activities; its bytes never change."""
        self._db.run(
            "INSERT INTO activity VALUES (:id, :actor, :type, :object, :visibility, :body, :created, NULL)",
            id=sent.id, actor=sent.actor, type=sent.type, object=sent.object, visibility=sent.visibility.value,
            body=sent.body, created=to_ms(sent.created),
        )  # fmt: skip

    def activity(self, activity_id: str) -> Sent | None:
        """Return one of our activities."""
        row = self._db.one("SELECT * FROM activity WHERE id = :id", id=activity_id)
        return _sent(row) if row else None

    def latest_activity(self, actor: str, kind: str, object_id: str) -> Sent | None:
        """Return our newest activity of a type on an object that was not undone."""
        row = self._db.one(
            "SELECT * FROM activity WHERE actor = :actor AND type = :kind AND object = :object AND undone IS NULL"
            " ORDER BY created DESC, id DESC LIMIT 1",
            actor=actor, kind=kind, object=object_id,
        )  # fmt: skip
        return _sent(row) if row else None

    def undo_activity(self, activity_id: str, now: datetime) -> None:
        """Note that we took an activity back."""
        self._db.run("UPDATE activity SET undone = :now WHERE id = :id", id=activity_id, now=to_ms(now))

    def outbox(self, actor: str, *, before: str | None, limit: int) -> list[Sent]:
        """Return an actor's public Creates and Announces, newest first, from before a cursor (an activity id)."""
        rows = self._db.rows(
            "SELECT * FROM activity WHERE actor = :actor AND type IN ('Create', 'Announce') AND undone IS NULL"
            " AND visibility IN ('public', 'unlisted') AND (:before IS NULL OR id < :before)"
            " AND NOT EXISTS (SELECT 1 FROM object o WHERE o.id = activity.object AND o.deleted IS NOT NULL)"
            " ORDER BY id DESC LIMIT :limit",
            actor=actor, before=before, limit=limit,
        )  # fmt: skip
        return [_sent(row) for row in rows]

    def outbox_size(self, actor: str) -> int:
        """Return how many activities ``outbox`` has in all."""
        return len(self.outbox(actor, before=None, limit=1_000_000))

    def save_media(self, media: MediaFile) -> None:
        """Keep the description of an uploaded file."""
        self._db.run(
            "INSERT INTO media VALUES (:id, :owner, :name, :media_type, :size, :sha256, :alt, :created, :object)"
            " ON CONFLICT (id) DO UPDATE SET alt = excluded.alt, object = excluded.object",
            id=media.id, owner=media.owner, name=media.name, media_type=media.media_type, size=media.size,
            sha256=media.sha256, alt=media.alt, created=to_ms(media.created), object=media.object,
        )  # fmt: skip

    def media(self, media_id: str) -> MediaFile | None:
        """Return the description of an uploaded file."""
        row = self._db.one("SELECT * FROM media WHERE id = :id", id=media_id)
        if row is None:
            return None
        return MediaFile(**{**row, "created": from_ms(row["created"])})

    def remember_recipients(self, object_id: str, inboxes: Iterable[str]) -> None:
        """Remember who was sent an object: edits and deletions reach them too."""
        for inbox in inboxes:
            self._db.run(
                "INSERT INTO recipient VALUES (:object, :inbox) ON CONFLICT DO NOTHING", object=object_id, inbox=inbox
            )

    def recipients(self, object_id: str) -> list[str]:
        """Return every inbox an object was ever sent to."""
        return [r["inbox"] for r in self._db.rows("SELECT inbox FROM recipient WHERE object = :o", o=object_id)]


def _stored(row: type_row) -> Stored:
    return Stored(
        id=row["id"], local=bool(row["local"]), type=row["type"], owner=row["owner"],
        visibility=Visibility(row["visibility"]), document=load(row["document"]),
        prefs=Preferences.from_json(load(row["prefs"])), own_prefs=Preferences.from_json(load(row["own_prefs"])),
        in_reply_to=row["in_reply_to"], published=from_ms(row["published"]), updated=from_ms(row["updated"]),  # type: ignore[arg-type]
        deleted=from_ms(row["deleted"]),
    )  # fmt: skip


def _sent(row: type_row) -> Sent:
    return Sent(
        id=row["id"], actor=row["actor"], type=row["type"], object=row["object"],
        visibility=Visibility(row["visibility"]), body=bytes(row["body"]), created=from_ms(row["created"]),  # type: ignore[arg-type]
        undone=row["undone"] is not None,
    )  # fmt: skip
