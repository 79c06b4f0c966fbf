"""Peers: what we remember of each origin, the admin's rules, observations with evidence, the audit lines."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gateway.policy.rules import Action, Rule
from gateway.policy.standing import Observation, Rung, Violation
from gateway.store.database import dump, from_ms, load, to_ms
from gateway.store.recent import Recent
from gateway.urls import covers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gateway.store.database import Database
    from gateway.urls import Origin

SEEN_MS = 60_000
MEMORY = timedelta(days=7)
MAX_AUDIT, AUDIT_PRUNED = 10_000, 100  # lines that are kept, and after how many more the oldest go


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One origin as remembered."""

    origin: str
    host: str
    first_seen: datetime
    last_seen: datetime
    speaks_rfc9421: bool
    takes_content_usage: bool
    rung: Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A stored observation with what shows it."""

    id: str
    host: str
    origin: str
    at: datetime
    violation: str | None
    proven: bool
    record: dict[str, Any]
    sha256: str
    cleared: datetime | None


class Peers:
    """Rows of ``peer``, ``rule``, ``observation`` and ``audit``."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._rungs: Recent[str, dict[str, Rung]] = Recent(database)
        self._observed: Recent[str, frozenset[str]] = Recent(database, "observation")
        self._audited = 0  # lines since the oldest were removed
        self._rules: Recent[str, list[Rule]] = Recent(database, "rule")
        self._rules_about: Recent[str, list[Rule]] = Recent(database, "rule")
        self._observations: Recent[str, list[Observation]] = Recent(database, "observation")
        self._met: Recent[tuple[str, int], bool] = Recent(database)
        self._learned: Recent[tuple[str, int], bool] = Recent(database)
        # Each is forgotten when more is learned.
        self._rows: Recent[str, dict[str, Any] | None] = Recent(database, found=True)

    def seen(self, origin: Origin, now: datetime) -> None:
        """Note that an origin exists and was heard of now."""
        # Once a minute is often enough to know who is still there.
        self._met.get((str(origin), to_ms(now) // SEEN_MS), lambda: self._saw(origin, now))

    def _saw(self, origin: Origin, now: datetime) -> bool:
        with self._db.transaction():
            self._db.later(self._save_all, {"origin": str(origin), "host": origin.host, "now": to_ms(now)}, "peer")
        return True

    def seen_all(self, origins: Iterable[Origin], now: datetime) -> None:
        """Note many origins at once."""
        self._save_all([{"origin": str(origin), "host": origin.host, "now": to_ms(now)} for origin in set(origins)])

    def _save_all(self, rows: list[dict[str, Any]]) -> None:
        self._db.run_many(
            "INSERT INTO peer VALUES (:origin, :host, :now, :now, NULL, NULL, 'H0')"
            " ON CONFLICT (origin) DO UPDATE SET last_seen = excluded.last_seen",
            rows,
        )

    def learn_rfc9421(self, origin: Origin, now: datetime) -> None:
        """Remember for a while that an origin speaks RFC 9421."""
        self.seen(origin, now)
        self._learned.get((str(origin), to_ms(now) // SEEN_MS), lambda: self._learn_rfc9421(origin, now))

    def _learn_rfc9421(self, origin: Origin, now: datetime) -> bool:
        self._rows.drop(str(origin))
        self._db.run(
            "UPDATE peer SET rfc9421_until = :until WHERE origin = :o", o=str(origin), until=to_ms(now + MEMORY)
        )
        return True

    def forget_rfc9421(self, origin: Origin) -> None:
        """Go back to the form everyone takes."""
        self._learned.forget()
        self._rows.drop(str(origin))
        self._db.run("UPDATE peer SET rfc9421_until = NULL WHERE origin = :o", o=str(origin))

    def learn_no_content_usage(self, origin: Origin, now: datetime) -> None:
        """Remember for a while that an origin refuses requests with Content-Usage."""
        self.seen(origin, now)
        self._rows.drop(str(origin))
        self._db.run(
            "UPDATE peer SET no_content_usage_until = :until WHERE origin = :o",
            o=str(origin),
            until=to_ms(now + MEMORY),
        )

    def set_rung(self, origin: Origin, rung: Rung) -> None:
        """Record how far a peer has shown that it honours preferences."""
        self._rows.drop(str(origin))
        self._db.run("UPDATE peer SET rung = :rung WHERE origin = :o", o=str(origin), rung=rung.value)
        self._rungs.forget()

    def get(self, origin: Origin, now: datetime) -> Peer:
        """Return what is remembered of an origin; strangers have a memory too: an empty one.

        ``last_seen`` may be of some time before: it is not read anew for every delivery.
        """
        row = self._rows.get(str(origin), lambda: self._db.one("SELECT * FROM peer WHERE origin = :o", o=str(origin)))
        if row is None:
            return Peer(
                origin=str(origin), host=origin.host, first_seen=now, last_seen=now, speaks_rfc9421=False,
                takes_content_usage=True, rung=Rung.UNKNOWN,
            )  # fmt: skip
        return self._peer(row, now)

    def all(self, now: datetime) -> list[Peer]:
        """Return every peer, by origin."""
        return [self._peer(row, now) for row in self._db.rows("SELECT * FROM peer ORDER BY origin")]

    def count(self) -> int:
        """Return how many origins are remembered."""
        return int(self._db.value("SELECT count(*) FROM peer"))

    def origins_of(self, host: str) -> list[str]:
        """Return the known origins of a host and its subdomains."""
        rows = self._db.rows(
            "SELECT origin, host FROM peer WHERE host = :h OR length(host) > length(:h) AND substr(host, length(host) - length(:h)) = '.' || :h ORDER BY origin",
            h=host,
        )
        return [row["origin"] for row in rows]

    def boosts_of(self, origin: Origin, limit: int = 8) -> list[str]:
        """Return the newest addresses on an origin under which it boosted our posts."""
        rows = self._db.rows(
            "SELECT i.activity AS url FROM interaction i JOIN object o ON o.id = i.object WHERE i.kind = 'Announce'"
            " AND o.local = 1 AND substr(i.activity, 1, length(:prefix)) = :prefix ORDER BY i.created DESC LIMIT :limit",
            prefix=f"{origin}/", limit=limit,
        )  # fmt: skip
        return [row["url"] for row in rows]

    def pages_of(self, origin: Origin) -> list[str]:
        """Return the pages and outboxes of an origin's known actors: they may show our posts."""
        rows = self._db.rows(
            "SELECT document FROM remote_actor WHERE origin = :o AND gone IS NULL ORDER BY fetched DESC LIMIT 3",
            o=str(origin),
        )
        pages = [load(row["document"]).get(name) for row in rows for name in ("url", "outbox")]
        return [page for page in pages if isinstance(page, str)]

    @staticmethod
    def _peer(row: dict[str, Any], now: datetime) -> Peer:
        moment = to_ms(now)
        return Peer(
            origin=row["origin"], host=row["host"], first_seen=from_ms(row["first_seen"]),  # type: ignore[arg-type]
            last_seen=from_ms(row["last_seen"]), speaks_rfc9421=(row["rfc9421_until"] or 0) > moment,  # type: ignore[arg-type]
            takes_content_usage=(row["no_content_usage_until"] or 0) <= moment, rung=Rung(row["rung"]),
        )  # fmt: skip

    def rung(self, origin: Origin) -> Rung:
        """Return how far a peer has shown that it honours preferences."""
        return self._rungs.get("", self._read_rungs).get(str(origin), Rung.UNKNOWN)

    def _read_rungs(self) -> dict[str, Rung]:
        rows = self._db.rows("SELECT origin, rung FROM peer WHERE rung <> 'H0'")
        return {row["origin"]: Rung(row["rung"]) for row in rows}

    def save_rule(self, rule: Rule, now: datetime) -> None:
        """Keep a rule; a host has one."""
        self._db.run(
            "INSERT INTO rule VALUES (:id, :host, :action, :note, :now) ON CONFLICT (host) DO UPDATE SET"
            " action = excluded.action, note = excluded.note, id = excluded.id, created = excluded.created",
            id=rule.id, host=rule.host, action=rule.action.word, note=rule.note, now=to_ms(now),
        )  # fmt: skip

    def clear_rule(self, host: str) -> bool:
        """Remove the rule of a host; tell whether there was one."""
        return bool(self._db.run("DELETE FROM rule WHERE host = :h", h=host))

    def rules(self) -> list[Rule]:
        """Return every rule."""
        return self._rules.get("", self._read_rules)

    def rules_about(self, host: str) -> list[Rule]:
        """Return the rules for a host and for the domains it is in."""
        return self._rules_about.get(host, lambda: [rule for rule in self.rules() if covers(rule.host, host)])

    def _read_rules(self) -> list[Rule]:
        return [
            Rule(id=row["id"], host=row["host"], action=Action[row["action"].upper()], note=row["note"])
            for row in self._db.rows("SELECT * FROM rule ORDER BY host")
        ]

    def observe(
        self, observation_id: str, origin: Origin, now: datetime, *, violation: Violation | None, proven: bool,
        record: dict[str, Any],
    ) -> Evidence:  # fmt: skip
        """Keep one look at a peer with its evidence, hashed."""
        text = dump(record)
        digest = hashlib.sha256(text.encode()).hexdigest()
        self._db.run(
            "INSERT INTO observation VALUES (:id, :host, :origin, :at, :violation, :proven, :evidence, :sha256, NULL)",
            id=observation_id, host=origin.host, origin=str(origin), at=to_ms(now),
            violation=violation.value if violation else None, proven=int(proven), evidence=text, sha256=digest,
        )  # fmt: skip
        return Evidence(
            id=observation_id, host=origin.host, origin=str(origin), at=now, proven=proven, record=record,
            violation=violation.value if violation else None, sha256=digest, cleared=None,
        )  # fmt: skip

    def observations(self, origin: Origin) -> list[Observation]:
        """Return what counts about a peer: observations that no admin cleared."""
        if str(origin) not in self._observed.get("", self._read_observed):
            return []  # most peers
        return self._observations.get(str(origin), lambda: self._read_observations(origin))

    def _read_observed(self) -> frozenset[str]:
        rows = self._db.rows("SELECT DISTINCT origin FROM observation WHERE cleared IS NULL")
        return frozenset(row["origin"] for row in rows)

    def _read_observations(self, origin: Origin) -> list[Observation]:
        rows = self._db.rows(
            "SELECT * FROM observation WHERE origin = :o AND cleared IS NULL ORDER BY at, id", o=str(origin)
        )
        return [
            Observation(
                id=row["id"], at=from_ms(row["at"]), evidence=row["id"], proven=bool(row["proven"]),  # type: ignore[arg-type]
                violation=Violation(row["violation"]) if row["violation"] else None,
            )
            for row in rows
        ]  # fmt: skip

    def evidence(self, origin: Origin, limit: int = 50) -> list[Evidence]:
        """Return the newest records about a peer, cleared ones too."""
        rows = self._db.rows(
            "SELECT * FROM observation WHERE origin = :o ORDER BY at DESC, id DESC LIMIT :limit",
            o=str(origin), limit=limit,
        )  # fmt: skip
        return [
            Evidence(
                id=row["id"], host=row["host"], origin=row["origin"], at=from_ms(row["at"]), violation=row["violation"],  # type: ignore[arg-type]
                proven=bool(row["proven"]), record=load(row["evidence"]), sha256=row["sha256"],
                cleared=from_ms(row["cleared"]),
            )
            for row in rows
        ]  # fmt: skip

    def clear_observations(self, origin: Origin, now: datetime) -> int:
        """Stop counting what was observed about a peer; the records stay."""
        return self._db.run(
            "UPDATE observation SET cleared = :now WHERE origin = :o AND cleared IS NULL", o=str(origin), now=to_ms(now)
        )

    def prune(self, unseen_since: datetime) -> int:
        """Forget origins of which nothing is known but that they were there, and long ago."""
        self._rows.forget()
        return self._db.run(
            "DELETE FROM peer WHERE last_seen < :t AND rung = 'H0'"
            " AND NOT EXISTS (SELECT 1 FROM observation o WHERE o.origin = peer.origin)"
            " AND NOT EXISTS (SELECT 1 FROM remote_actor a WHERE a.origin = peer.origin AND a.gone IS NULL)"
            " AND NOT EXISTS (SELECT 1 FROM job j WHERE j.pool IN (0, 1, 2) AND j.peer = peer.origin AND j.finished IS NULL)",
            t=to_ms(unseen_since),
        )  # fmt: skip

    def audit(self, now: datetime, event: str, host: str, reason: str, detail: str = "") -> None:
        """Write one bounded audit line; only the newest ten thousand are kept."""
        line = _audit_line(now, event, host, reason, detail)
        with self._db.transaction():
            self._db.later(self._audit_all, line, "audit")

    def _audit_all(self, lines: list[dict[str, Any]]) -> None:
        self._db.run_many(
            "INSERT INTO audit (at, event, host, reason, detail) VALUES (:at, :event, :host, :reason, :detail)", lines
        )
        self._count_audited(len(lines))

    def _count_audited(self, lines: int) -> None:
        """Remove the oldest lines after so many new ones."""
        self._audited += lines
        if self._audited >= AUDIT_PRUNED:
            self._audited = 0
            self._db.run("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - :kept", kept=MAX_AUDIT)

    def audited(self, now: datetime, event: str, host: str, reason: str, detail: str = "") -> int:
        """Write one audit line and return its number."""
        written = self._db.one(
            "INSERT INTO audit (at, event, host, reason, detail) VALUES (:at, :event, :host, :reason, :detail) RETURNING id",
            **_audit_line(now, event, host, reason, detail),
        )
        self._count_audited(1)
        return int(written["id"]) if written is not None else 0

    def audit_lines(self, host: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest audit lines."""
        return self._db.rows(
            "SELECT * FROM audit WHERE (CAST(:h AS TEXT) IS NULL OR host = :h) ORDER BY id DESC LIMIT :limit",
            h=host,
            limit=limit,
        )


def _audit_line(now: datetime, event: str, host: str, reason: str, detail: str) -> dict[str, Any]:
    return {"at": to_ms(now), "event": event, "host": host[:255], "reason": reason[:80], "detail": detail[:300]}
