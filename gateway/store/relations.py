"""Between actors: remote actors and their keys, follows, likes and boosts, blocks, reports, what was undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.activitypub.effects import KnownFollow
from gateway.store.database import dump, from_ms, load, to_ms
from gateway.store.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from gateway.store.database import Database, type_row


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteActor:
    """Somebody elsewhere: the document as fetched at its own id."""

    id: str
    origin: str
    name: str
    inbox: str
    shared_inbox: str | None
    document: Mapping[str, object]
    fetched: datetime
    moved: datetime | None = None
    gone: datetime | None = None

    @property
    def best_inbox(self) -> str:
        """Return the shared inbox when there is one."""
        return self.shared_inbox or self.inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A Flag about one of ours."""

    id: str
    reporter: str
    objects: tuple[str, ...]
    content: str
    created: datetime
    closed: datetime | None


class Relations:
    """Rows about who knows whom."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._actors: Recent[str, RemoteActor | None] = Recent(database)  # each is forgotten when it is written
        self._followed: Recent[str, tuple[str, ...]] = Recent(database, "follow", "account", exact=True)
        self._blocks: Recent[tuple[str, str], bool] = Recent(database, "block", exact=True)

    def save_actor(self, actor: RemoteActor, key_ids: Iterable[str]) -> None:
        """Keep a remote actor and which key ids its document lists."""
        self._actors.drop(actor.id)
        self._db.run(
            "INSERT INTO remote_actor VALUES (:id, :origin, :name, :inbox, :shared_inbox, :document, :fetched, NULL, NULL)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, inbox = excluded.inbox,"
            " shared_inbox = excluded.shared_inbox, document = excluded.document, fetched = excluded.fetched,"
            " gone = NULL",
            id=actor.id, origin=actor.origin, name=actor.name, inbox=actor.inbox, shared_inbox=actor.shared_inbox,
            document=dump(dict(actor.document)), fetched=to_ms(actor.fetched),
        )  # fmt: skip
        self._db.run("DELETE FROM remote_key WHERE actor = :id", id=actor.id)
        for key in key_ids:
            self._db.run(
                "INSERT INTO remote_key VALUES (:key, :id) ON CONFLICT DO NOTHING",
                key=key, id=actor.id,
            )  # fmt: skip

    def actor(self, actor_id: str) -> RemoteActor | None:
        """Return a remote actor that is not gone."""
        return self._actors.get(actor_id, lambda: self._read_actor(actor_id))

    def _read_actor(self, actor_id: str) -> RemoteActor | None:
        row = self._db.one("SELECT * FROM remote_actor WHERE id = :id AND gone IS NULL", id=actor_id)
        return _actor(row) if row else None

    def actor_of_key(self, key_id: str) -> RemoteActor | None:
        """Return the actor whose document lists ``key_id``; a neighbour may list it too, its own actor goes first."""
        row = self._db.one(
            "SELECT a.* FROM remote_key k JOIN remote_actor a ON a.id = k.actor WHERE k.id = :key AND a.gone IS NULL"
            " ORDER BY CASE WHEN substr(k.id, 1, length(a.id)) = a.id THEN 0 ELSE 1 END, length(a.id) DESC, a.id LIMIT 1",
            key=key_id,
        )
        return _actor(row) if row else None

    def mark_moved(self, actor_id: str, now: datetime) -> None:
        """Note when an account moved."""
        self._actors.drop(actor_id)
        self._db.run("UPDATE remote_actor SET moved = :now WHERE id = :id", id=actor_id, now=to_ms(now))

    def drop_actor(self, actor_id: str, now: datetime) -> None:
        """Forget a deleted account: relations go, the name stays as gone."""
        self._actors.drop(actor_id)
        for sql in (
            "DELETE FROM follow WHERE follower = :id OR followed = :id",
            "DELETE FROM interaction WHERE actor = :id",
            "DELETE FROM block WHERE blocker = :id",
            "DELETE FROM remote_key WHERE actor = :id",
        ):
            self._db.run(sql, id=actor_id)
        self._db.run("UPDATE remote_actor SET gone = :now WHERE id = :id", id=actor_id, now=to_ms(now))

    def save_follow(self, follower: str, followed: str, activity: str, state: str, now: datetime) -> None:
        """Record a follow; a repeated one keeps its place and takes the newer activity id."""
        self._db.run(
            "INSERT INTO follow VALUES (:follower, :followed, :activity, :state, :now)"
            " ON CONFLICT (follower, followed) DO UPDATE SET activity = excluded.activity, state = excluded.state",
            follower=follower, followed=followed, activity=activity, state=state, now=to_ms(now),
        )  # fmt: skip

    def settle_follow(self, follower: str, followed: str, state: str) -> None:
        """Set the state of a follow."""
        self._db.run(
            "UPDATE follow SET state = :state WHERE follower = :follower AND followed = :followed",
            follower=follower, followed=followed, state=state,
        )  # fmt: skip

    def forget_follow(self, follower: str, followed: str) -> bool:
        """Remove a follow; tell whether there was one."""
        return bool(self._db.run("DELETE FROM follow WHERE follower = :a AND followed = :b", a=follower, b=followed))

    def follow(self, follower: str, followed: str) -> KnownFollow | None:
        """Return the relation of two actors."""
        row = self._db.one("SELECT * FROM follow WHERE follower = :a AND followed = :b", a=follower, b=followed)
        return _follow(row) if row else None

    def follow_by_activity(self, activity: str) -> KnownFollow | None:
        """Return the relation that a Follow with this id made."""
        row = self._db.one("SELECT * FROM follow WHERE activity = :activity", activity=activity)
        return _follow(row) if row else None

    def is_shared_inbox(self, inbox: str) -> bool:
        """Tell whether an inbox is a server's own: most of its actors that are known name it."""
        naming = self._db.value("SELECT count(*) FROM remote_actor WHERE shared_inbox = :inbox", inbox=inbox)
        known = self._db.value(
            "SELECT count(*) FROM remote_actor WHERE origin IN (SELECT origin FROM remote_actor WHERE shared_inbox = :inbox)",
            inbox=inbox,
        )
        return int(naming) * 2 > int(known)  # one of them alone could name any address

    def followers(self, actor: str, state: str = "accepted") -> list[str]:
        """Return who follows an actor."""
        rows = self._db.rows(
            "SELECT follower FROM follow WHERE followed = :a AND state = :s ORDER BY created, follower",
            a=actor,
            s=state,
        )
        return [row["follower"] for row in rows]

    def followers_inboxes(self, actor: str) -> dict[str, tuple[str, str]]:
        """Return the inbox, and the one a server would rather have, of each follower elsewhere whose actor is known."""
        rows = self._db.rows(
            "SELECT a.id, a.inbox, coalesce(a.shared_inbox, a.inbox) AS best FROM follow f"
            " JOIN remote_actor a ON a.id = f.follower AND a.gone IS NULL"
            " WHERE f.followed = :a AND f.state = 'accepted' ORDER BY f.created, f.follower",
            a=actor,
        )
        return {row["id"]: (row["inbox"], row["best"]) for row in rows}

    def following(self, actor: str, state: str = "accepted") -> list[str]:
        """Return whom an actor follows."""
        rows = self._db.rows(
            "SELECT followed FROM follow WHERE follower = :a AND state = :s ORDER BY created, followed",
            a=actor,
            s=state,
        )
        return [row["followed"] for row in rows]

    def count_followers_from(self, origin: str) -> int:
        """Return how many followers of ours live on an origin."""
        return int(
            self._db.value(
                "SELECT count(*) FROM follow f JOIN remote_actor a ON a.id = f.follower"
                " WHERE a.origin = :o AND f.state = 'accepted'",
                o=origin,
            )
        )

    def is_followed_here(self, actor: str) -> bool:
        """Tell whether anybody here follows a remote actor."""
        return bool(self.local_followers_of(actor))

    def local_followers_of(self, actor: str) -> tuple[str, ...]:
        """Return which of ours follow a remote actor."""
        return self._followed.get(actor, lambda: self._read_followers_here(actor))

    def _read_followers_here(self, actor: str) -> tuple[str, ...]:
        rows = self._db.rows(
            "SELECT f.follower FROM follow f JOIN account a ON a.id = f.follower"
            " WHERE f.followed = :a AND f.state = 'accepted'",
            a=actor,
        )
        return tuple(row["follower"] for row in rows)

    def save_interaction(self, kind: str, actor: str, target: str, activity: str, now: datetime) -> None:
        """Record a like or boost once."""
        self._db.run(
            "INSERT INTO interaction VALUES (:kind, :actor, :object, :activity, :now)"
            " ON CONFLICT (kind, actor, object) DO NOTHING",
            kind=kind, actor=actor, object=target, activity=activity, now=to_ms(now),
        )  # fmt: skip

    def forget_interaction(self, kind: str, actor: str, target: str) -> None:
        """Remove a like or boost."""
        self._db.run(
            "DELETE FROM interaction WHERE kind = :kind AND actor = :actor AND object = :object",
            kind=kind, actor=actor, object=target,
        )  # fmt: skip

    def interactions(self, target: str, kind: str) -> list[str]:
        """Return who liked or boosted an object."""
        rows = self._db.rows(
            "SELECT actor FROM interaction WHERE object = :o AND kind = :k ORDER BY created, actor", o=target, k=kind
        )
        return [row["actor"] for row in rows]

    def interaction_activities(self, target: str, kind: str, *, limit: int, offset: int = 0) -> list[tuple[str, str]]:
        """Return (activity id, actor) of those who liked or boosted an object, newest first."""
        rows = self._db.rows(
            "SELECT activity, actor FROM interaction WHERE object = :o AND kind = :k"
            " ORDER BY created DESC, activity DESC LIMIT :limit OFFSET :offset",
            o=target, k=kind, limit=limit, offset=offset,
        )  # fmt: skip
        return [(row["activity"], row["actor"]) for row in rows]

    def done_by(self, actor: str, kind: str) -> list[str]:
        """Return the objects that an actor liked or boosted, newest first."""
        rows = self._db.rows(
            "SELECT object FROM interaction WHERE actor = :a AND kind = :k ORDER BY created DESC, object",
            a=actor,
            k=kind,
        )
        return [row["object"] for row in rows]

    def done_by_activity(self, activity: str) -> dict[str, str] | None:
        """Return what an activity with this id did: type, actor, object; None when nothing stands."""
        for sql in (
            "SELECT kind AS type, actor, object FROM interaction WHERE activity = :id",
            "SELECT 'Follow' AS type, follower AS actor, followed AS object FROM follow WHERE activity = :id",
            "SELECT 'Block' AS type, blocker AS actor, blocked AS object FROM block WHERE activity = :id",
        ):
            if row := self._db.one(sql, id=activity):
                return {name: str(value) for name, value in row.items()}
        return None

    def save_block(self, blocker: str, blocked: str, activity: str, now: datetime) -> None:
        """Record a block once."""
        self._db.run(
            "INSERT INTO block VALUES (:a, :b, :activity, :now) ON CONFLICT DO NOTHING",
            a=blocker, b=blocked, activity=activity, now=to_ms(now),
        )  # fmt: skip

    def forget_block(self, blocker: str, blocked: str) -> bool:
        """Remove a block; tell whether there was one."""
        return bool(self._db.run("DELETE FROM block WHERE blocker = :a AND blocked = :b", a=blocker, b=blocked))

    def blocks(self, blocker: str, blocked: str) -> bool:
        """Tell whether one actor blocks another."""
        return self._blocks.get((blocker, blocked), lambda: self._read_block(blocker, blocked))

    def _read_block(self, blocker: str, blocked: str) -> bool:
        found = self._db.value("SELECT 1 FROM block WHERE blocker = :a AND blocked = :b", a=blocker, b=blocked)
        return found is not None

    def blocked_by(self, blocker: str) -> list[str]:
        """Return whom an actor blocks."""
        rows = self._db.rows("SELECT blocked FROM block WHERE blocker = :a ORDER BY created, blocked", a=blocker)
        return [row["blocked"] for row in rows]

    def save_report(self, report: Report) -> None:
        """Keep a report."""
        self._db.run(
            "INSERT INTO report VALUES (:id, :reporter, :objects, :content, :created, NULL)",
            id=report.id, reporter=report.reporter, objects=dump(list(report.objects)), content=report.content,
            created=to_ms(report.created),
        )  # fmt: skip

    def reports(self, *, with_closed: bool = False) -> list[Report]:
        """Return reports, newest first."""
        rows = self._db.rows(
            "SELECT * FROM report WHERE (:with_closed = 1 OR closed IS NULL) ORDER BY created DESC, id DESC",
            with_closed=int(with_closed),
        )
        return [_report(row) for row in rows]

    def report(self, report_id: str) -> Report | None:
        """Return one report."""
        row = self._db.one("SELECT * FROM report WHERE id = :id", id=report_id)
        return _report(row) if row else None

    def close_report(self, report_id: str, now: datetime) -> bool:
        """Close a report; tell whether it was open."""
        return bool(
            self._db.run(
                "UPDATE report SET closed = :now WHERE id = :id AND closed IS NULL", id=report_id, now=to_ms(now)
            )
        )

    def remember_undone(self, activity: str, actor: str, now: datetime) -> None:
        """Remember that an actor took an activity or object back, so that it can never be replayed."""
        self._db.run(
            "INSERT INTO undone VALUES (:activity, :actor, :now) ON CONFLICT DO NOTHING",
            activity=activity, actor=actor, now=to_ms(now),
        )  # fmt: skip

    def prune(self, fetched_before: datetime) -> int:
        """Forget actors who have nothing to do with anybody here, and what was undone before it came, long ago."""
        moment = to_ms(fetched_before)
        self._actors.forget()
        gone = self._db.run(
            "DELETE FROM remote_actor WHERE fetched < :t"
            " AND NOT EXISTS (SELECT 1 FROM follow f WHERE f.follower = remote_actor.id OR f.followed = remote_actor.id)"
            " AND NOT EXISTS (SELECT 1 FROM object o WHERE o.owner = remote_actor.id)"
            " AND NOT EXISTS (SELECT 1 FROM interaction i WHERE i.actor = remote_actor.id)"
            " AND NOT EXISTS (SELECT 1 FROM block b WHERE b.blocked = remote_actor.id OR b.blocker = remote_actor.id)",
            t=moment,
        )  # fmt: skip
        self._db.run(
            "DELETE FROM remote_key WHERE NOT EXISTS (SELECT 1 FROM remote_actor a WHERE a.id = remote_key.actor)"
        )
        return gone + self._db.run("DELETE FROM undone WHERE at < :t", t=moment)

    def is_undone(self, thing: str, actor: str) -> bool:
        """Tell whether ``actor`` took an activity or object of theirs back; a neighbour's word does not count."""
        return bool(self.undone_of(actor, thing))

    def undone_of(self, actor: str, thing: str, other: str = "") -> set[str]:
        """Return which of one or two activities or objects ``actor`` took back."""
        rows = self._db.rows(
            "SELECT activity FROM undone WHERE activity IN (:thing, :other) AND actor = :actor",
            thing=thing, other=other or thing, actor=actor,
        )  # fmt: skip
        return {row["activity"] for row in rows}


def _actor(row: type_row) -> RemoteActor:
    times: dict[str, Any] = {name: from_ms(row[name]) for name in ("fetched", "moved", "gone")}
    return RemoteActor(**{**row, **times, "document": load(row["document"])})


def _follow(row: type_row) -> KnownFollow:
    return KnownFollow(follower=row["follower"], followed=row["followed"], activity=row["activity"], state=row["state"])


def _report(row: type_row) -> Report:
    return Report(
        id=row["id"], reporter=row["reporter"], objects=tuple(load(row["objects"])), content=row["content"],
        created=from_ms(row["created"]), closed=from_ms(row["closed"]),  # type: ignore[arg-type]
    )  # fmt: skip
