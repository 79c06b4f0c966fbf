"""Objects (ours and others'), our activities, media, and who ever received what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.effects import KnownObject
from gateway.preferences import NOTHING, Preferences
from gateway.store import seal
from gateway.store.database import dump, from_ms, load, to_ms
from gateway.store.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from gateway.store.database import Database, type_row


# What of an actor's activities somebody may see: ``:seen`` are visibilities between spaces.
_PUBLISHED = (
    " WHERE actor = :actor AND type NOT IN ('Update', 'Delete', 'Undo', 'Block', 'Flag') AND undone IS NULL"
    " AND (:seen LIKE '% ' || visibility || ' %'"
    " OR EXISTS (SELECT 1 FROM hidden_recipient h WHERE h.thing = activity.id AND h.actor = :reader)"
    " OR EXISTS (SELECT 1 FROM addressee d WHERE d.activity = activity.id AND d.actor = :reader))"
    " AND NOT EXISTS (SELECT 1 FROM object o WHERE o.id = activity.object AND o.deleted IS NOT NULL)"
)


def _words(visibilities: Iterable[Visibility]) -> str:
    return f" {' '.join(visibilities)} "


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
        self._activities: Recent[str, Sent | None] = Recent(database, "activity", cap=1_000)

    def save(self, stored: Stored, tags: Iterable[str] = ()) -> None:
        """Insert or replace an object."""
        row = {
            "id": stored.id, "type": stored.type, "visibility": stored.visibility.value,
            "document": dump(dict(stored.document)), "prefs": dump(stored.prefs.as_json()),
            "own_prefs": dump(stored.own_prefs.as_json()),
        }  # fmt: skip
        self._db.run(
            "INSERT INTO object (id, local, type, owner, visibility, document, prefs, own_prefs, in_reply_to, published,"
            " updated, deleted, seal) VALUES (:id, :local, :type, :owner, :visibility, :document, :prefs, :own_prefs,"
            " :in_reply_to, :published, :updated, :deleted, :seal) ON CONFLICT (id) DO UPDATE SET type = excluded.type,"
            " visibility = excluded.visibility, document = excluded.document, prefs = excluded.prefs,"
            " own_prefs = excluded.own_prefs, in_reply_to = excluded.in_reply_to, updated = excluded.updated,"
            " deleted = excluded.deleted, seal = excluded.seal",
            **row, seal=seal.seal_of("object", row), local=int(stored.local), owner=stored.owner,
            in_reply_to=stored.in_reply_to,
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

    def sizes(self) -> tuple[int, int]:
        """Return how many objects of ours and of others are kept."""
        rows = self._db.rows("SELECT local, count(*) AS n FROM object GROUP BY local")
        found = {int(row["local"]): int(row["n"]) for row in rows}
        return found.get(1, 0), found.get(0, 0)

    def give(self, object_id: str, owner: str) -> None:
        """Let a remote object belong to somebody else of its origin."""
        self._db.run("UPDATE object SET owner = :owner WHERE id = :id AND local = 0", id=object_id, owner=owner)

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
        """Return how many living posts are ours and open to all: when somebody writes privately is nobody's to see."""
        open_to_all = (
            "SELECT count(*) FROM object WHERE local = 1 AND deleted IS NULL AND visibility IN ('public', 'unlisted')"
        )
        return int(self._db.value(open_to_all) or 0)

    def of_owner_to_bury(self, owner: str) -> list[str]:
        """Return the ids of an author's living objects."""
        return [r["id"] for r in self._db.rows("SELECT id FROM object WHERE owner = :o AND deleted IS NULL", o=owner)]

    def save_activity(self, sent: Sent) -> None:
        """Keep one of our activities; its bytes never change."""
        self._db.run(
            "INSERT INTO activity (id, actor, type, object, visibility, body, created, seal)"
            " VALUES (:id, :actor, :type, :object, :visibility, :body, :created, :seal)",
            seal=seal.seal_of("activity", {"id": sent.id, "actor": sent.actor, "body": sent.body}),
            id=sent.id, actor=sent.actor, type=sent.type, object=sent.object, visibility=sent.visibility.value,
            body=sent.body, created=to_ms(sent.created),
        )  # fmt: skip

    def activity(self, activity_id: str) -> Sent | None:
        """Return one of our activities."""
        return self._activities.get(activity_id, lambda: self._read_activity(activity_id))

    def _read_activity(self, activity_id: str) -> Sent | None:
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

    def outbox(
        self, actor: str, *, before: str | None, limit: int, visibilities: Sequence[Visibility], reader: str = ""
    ) -> list[Sent]:
        """Return what an actor published, newest first, from before a cursor (an activity id).

        ``visibilities`` are those that the reader may see; what was addressed to ``reader`` by name is there too.
        """
        rows = self._db.rows(
            f"SELECT * FROM activity {_PUBLISHED} AND (CAST(:before AS TEXT) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit",  # noqa: S608 - no value is put in
            actor=actor, reader=reader, before=before, limit=limit, seen=_words(visibilities),
        )  # fmt: skip
        return [_sent(row) for row in rows]

    def outbox_size(self, actor: str, visibilities: Sequence[Visibility], reader: str = "") -> int:
        """Return how many activities ``outbox`` has in all."""
        sql = f"SELECT count(*) FROM activity {_PUBLISHED}"  # noqa: S608 - no value is put in
        return int(self._db.value(sql, actor=actor, reader=reader, seen=_words(visibilities)))

    def own_outbox(self, actor: str, *, before: str | None, limit: int) -> list[Sent]:
        """Return everything an actor ever did, newest first, from before a cursor: what only its owner sees."""
        rows = self._db.rows(
            "SELECT * FROM activity WHERE actor = :actor AND (CAST(:before AS TEXT) IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit",
            actor=actor, before=before, limit=limit,
        )  # fmt: skip
        return [_sent(row) for row in rows]

    def own_outbox_size(self, actor: str) -> int:
        """Return how many activities ``own_outbox`` has in all."""
        return int(self._db.value("SELECT count(*) FROM activity WHERE actor = :actor", actor=actor))

    def readdress(self, object_id: str, visibility: Visibility, named: Iterable[str], inboxes: Iterable[str]) -> None:
        """Let what was sent about an object travel as far as it does now: for those named, and to these inboxes."""
        about = "object = :o AND type IN ('Create', 'Update')"
        self._db.run(f"UPDATE activity SET visibility = :v WHERE {about}", o=object_id, v=visibility.value)  # noqa: S608 - no value is put in
        self._db.run(
            f"DELETE FROM addressee WHERE activity IN (SELECT id FROM activity WHERE {about})",  # noqa: S608 - likewise
            o=object_id,
        )
        self._db.run(
            f"DELETE FROM hidden_recipient WHERE thing = :o OR thing IN (SELECT id FROM activity WHERE {about})",  # noqa: S608 - likewise
            o=object_id,
        )
        for actor in dict.fromkeys(named):
            self._db.run(
                f"INSERT INTO addressee SELECT id, :a FROM activity WHERE {about} ON CONFLICT DO NOTHING",  # noqa: S608 - likewise
                o=object_id, a=actor,
            )  # fmt: skip
        kept = set(inboxes)
        for inbox in self.recipients(object_id):
            if inbox not in kept:
                self._db.run("DELETE FROM recipient WHERE object = :o AND inbox = :i", o=object_id, i=inbox)

    def remember_addressees(self, activity: str, about: str, named: Iterable[str], hidden: Iterable[str]) -> None:
        """Remember who was addressed by name, openly or not: what reached them stays readable for them."""
        for actor in dict.fromkeys(named):
            self._db.run("INSERT INTO addressee VALUES (:t, :a) ON CONFLICT DO NOTHING", t=activity, a=actor)
        for actor in dict.fromkeys(hidden):
            for thing in (activity, about):
                self._db.run("INSERT INTO hidden_recipient VALUES (:t, :a) ON CONFLICT DO NOTHING", t=thing, a=actor)

    def is_addressee(self, activity: str, actor: str) -> bool:
        """Tell whether one of our activities was addressed to an actor by name."""
        return (
            self._db.value("SELECT 1 FROM addressee WHERE activity = :t AND actor = :a", t=activity, a=actor)
            is not None
        )

    def hidden_recipients(self, thing: str) -> list[str]:
        """Return who was addressed in ``bto`` or ``bcc`` of an object or activity."""
        return [r["actor"] for r in self._db.rows("SELECT actor FROM hidden_recipient WHERE thing = :t", t=thing)]

    def is_hidden_recipient(self, thing: str, actor: str) -> bool:
        """Tell whether an object or activity was addressed to an actor in ``bto`` or ``bcc``."""
        row = self._db.value("SELECT 1 FROM hidden_recipient WHERE thing = :t AND actor = :a", t=thing, a=actor)
        return row is not None

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

    def link_media(self, media_id: str, object_id: str) -> None:
        """Make an uploaded file part of an object."""
        self._db.run("UPDATE media SET object = :o WHERE id = :id AND object IS NULL", id=media_id, o=object_id)
        self._db.run("INSERT INTO media_use VALUES (:id, :o) ON CONFLICT DO NOTHING", id=media_id, o=object_id)

    def uses_of_media(self, media_id: str) -> list[Stored]:
        """Return every object that shows a file, deleted ones too."""
        rows = self._db.rows(
            "SELECT o.* FROM media_use u JOIN object o ON o.id = u.object WHERE u.media = :id ORDER BY o.id",
            id=media_id,
        )
        return [_stored(row) for row in rows]

    def unattached_media(self, before: datetime) -> list[MediaFile]:
        """Return files that were uploaded before a moment and never became part of an object."""
        rows = self._db.rows("SELECT * FROM media WHERE object IS NULL AND created < :t", t=to_ms(before))
        return [MediaFile(**{**row, "created": from_ms(row["created"])}) for row in rows]

    def forget_media(self, media_id: str) -> None:
        """Forget the description of a file."""
        self._db.run("DELETE FROM media WHERE id = :id", id=media_id)

    def is_blob_used(self, sha256: str, *, besides: str) -> bool:
        """Tell whether another file than ``besides`` has this content."""
        return self._db.value("SELECT 1 FROM media WHERE sha256 = :s AND id <> :id", s=sha256, id=besides) is not None

    def remember_recipients(self, object_id: str, inboxes: Iterable[str]) -> None:
        """Remember who was sent an object: edits and deletions reach them too."""
        self._db.run_many(
            "INSERT INTO recipient VALUES (:object, :inbox) ON CONFLICT DO NOTHING",
            [{"object": object_id, "inbox": inbox} for inbox in inboxes],
        )

    def forget_recipients(self, object_id: str, inboxes: Iterable[str]) -> None:
        """Note that an object was not sent to some after all."""
        self._db.run_many(
            "DELETE FROM recipient WHERE object = :object AND inbox = :inbox",
            [{"object": object_id, "inbox": inbox} for inbox in inboxes],
        )

    def recipients_among(self, object_id: str, inboxes: Iterable[str]) -> list[str]:
        """Return those of some inboxes that an object is for."""
        rows = self._db.rows(
            "SELECT value.value AS inbox FROM json_each(:inboxes) AS value"
            " WHERE EXISTS (SELECT 1 FROM recipient WHERE object = :o AND inbox = value.value)",
            inboxes=dump(list(inboxes)), o=object_id,
        )  # fmt: skip
        return [row["inbox"] for row in rows]

    def recipients(self, object_id: str) -> list[str]:
        """Return every inbox an object was ever sent to."""
        return [r["inbox"] for r in self._db.rows("SELECT inbox FROM recipient WHERE object = :o", o=object_id)]


def _stored(row: type_row) -> Stored:
    seal.check("object", row)
    return Stored(
        id=row["id"], local=bool(row["local"]), type=row["type"], owner=row["owner"],
        visibility=Visibility(row["visibility"]), document=load(row["document"]),
        prefs=Preferences.from_json(load(row["prefs"])), own_prefs=Preferences.from_json(load(row["own_prefs"])),
        in_reply_to=row["in_reply_to"], published=from_ms(row["published"]), updated=from_ms(row["updated"]),  # type: ignore[arg-type]
        deleted=from_ms(row["deleted"]),
    )  # fmt: skip


def _sent(row: type_row) -> Sent:
    seal.check("activity", row)
    return Sent(
        id=row["id"], actor=row["actor"], type=row["type"], object=row["object"],
        visibility=Visibility(row["visibility"]), body=bytes(row["body"]), created=from_ms(row["created"]),  # type: ignore[arg-type]
        undone=row["undone"] is not None,
    )  # fmt: skip
