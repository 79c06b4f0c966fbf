"""One schema, one ordered list of migrations: sqlite-utils keeps which ran on SQLite, a table of ours on PostgreSQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlite_utils import Migrations

if TYPE_CHECKING:
    import sqlite_utils

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE account (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL, summary TEXT NOT NULL,
  preset TEXT, prefs TEXT NOT NULL, approves BIGINT NOT NULL, discoverable BIGINT NOT NULL,
  created BIGINT NOT NULL, updated BIGINT NOT NULL, deleted BIGINT, kind TEXT NOT NULL,
  moved_to TEXT, aliases TEXT NOT NULL);

CREATE TABLE private_key (
  owner TEXT NOT NULL, kind TEXT NOT NULL, wrapped BLOB NOT NULL, public TEXT NOT NULL, created BIGINT NOT NULL,
  PRIMARY KEY (owner, kind));

CREATE TABLE token (
  id TEXT PRIMARY KEY, account TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, label TEXT NOT NULL,
  created BIGINT NOT NULL, last_used BIGINT, revoked BIGINT);

CREATE TABLE object (
  id TEXT PRIMARY KEY, local BIGINT NOT NULL, type TEXT NOT NULL, owner TEXT NOT NULL, visibility TEXT NOT NULL,
  document TEXT NOT NULL, prefs TEXT NOT NULL, own_prefs TEXT NOT NULL, in_reply_to TEXT,
  published BIGINT NOT NULL, updated BIGINT, deleted BIGINT);
CREATE INDEX object_by_owner ON object (owner, published);
CREATE INDEX object_by_reply ON object (in_reply_to);

CREATE TABLE object_tag (object TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (object, tag));

CREATE TABLE activity (
  id TEXT PRIMARY KEY, actor TEXT NOT NULL, type TEXT NOT NULL, object TEXT NOT NULL, visibility TEXT NOT NULL,
  body BLOB NOT NULL, created BIGINT NOT NULL, undone BIGINT);
CREATE INDEX activity_by_actor ON activity (actor, created);
CREATE INDEX activity_by_object ON activity (object, type);

CREATE TABLE media (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, media_type TEXT NOT NULL, size BIGINT NOT NULL,
  sha256 TEXT NOT NULL, alt TEXT NOT NULL, created BIGINT NOT NULL, object TEXT);

CREATE TABLE remote_actor (
  id TEXT PRIMARY KEY, origin TEXT NOT NULL, name TEXT NOT NULL, inbox TEXT NOT NULL, shared_inbox TEXT,
  document TEXT NOT NULL, fetched BIGINT NOT NULL, moved BIGINT, gone BIGINT);

CREATE TABLE remote_key (id TEXT NOT NULL, actor TEXT NOT NULL, PRIMARY KEY (id, actor));

CREATE TABLE follow (
  follower TEXT NOT NULL, followed TEXT NOT NULL, activity TEXT NOT NULL, state TEXT NOT NULL,
  created BIGINT NOT NULL, PRIMARY KEY (follower, followed));
CREATE INDEX follow_by_followed ON follow (followed, state);
CREATE INDEX follow_by_activity ON follow (activity);

CREATE TABLE interaction (
  kind TEXT NOT NULL, actor TEXT NOT NULL, object TEXT NOT NULL, activity TEXT NOT NULL, created BIGINT NOT NULL,
  PRIMARY KEY (kind, actor, object));
CREATE INDEX interaction_by_object ON interaction (object, kind);
CREATE INDEX interaction_by_activity ON interaction (activity);

CREATE TABLE block (
  blocker TEXT NOT NULL, blocked TEXT NOT NULL, activity TEXT NOT NULL, created BIGINT NOT NULL,
  PRIMARY KEY (blocker, blocked));

CREATE TABLE undone (activity TEXT NOT NULL, actor TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (activity, actor));

CREATE TABLE report (
  id TEXT PRIMARY KEY, reporter TEXT NOT NULL, objects TEXT NOT NULL, content TEXT NOT NULL,
  created BIGINT NOT NULL, closed BIGINT);

CREATE TABLE statement (
  id INTEGER PRIMARY KEY, scope TEXT NOT NULL, ref TEXT NOT NULL, prefs TEXT NOT NULL, conditions TEXT NOT NULL,
  audience_kind TEXT NOT NULL, audience_value TEXT NOT NULL, declared_kind TEXT NOT NULL, declared_id TEXT NOT NULL,
  declared_auth TEXT NOT NULL, carrier TEXT NOT NULL, revision TEXT NOT NULL, raw TEXT NOT NULL,
  asserted BIGINT, observed BIGINT NOT NULL, expires BIGINT, projection_of TEXT, legacy BIGINT NOT NULL,
  source TEXT NOT NULL, superseded BIGINT);
CREATE INDEX statement_by_ref ON statement (ref, superseded);

CREATE TABLE arrival (
  id TEXT NOT NULL, actor TEXT NOT NULL, origin TEXT NOT NULL, inbox TEXT NOT NULL, body BLOB NOT NULL,
  headers TEXT NOT NULL, verdict TEXT NOT NULL, received BIGINT NOT NULL, settled BIGINT, outcome TEXT,
  PRIMARY KEY (id, actor));

CREATE TABLE job (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, lane TEXT NOT NULL, peer TEXT NOT NULL, payload TEXT NOT NULL,
  due BIGINT NOT NULL, attempts BIGINT NOT NULL, state TEXT NOT NULL, lease_owner TEXT, lease_until BIGINT,
  status BIGINT, problem TEXT, created BIGINT NOT NULL, finished BIGINT);
CREATE INDEX job_due ON job (state, due);
CREATE INDEX job_lane ON job (lane, id);
CREATE INDEX job_peer ON job (peer, state);

CREATE TABLE recipient (object TEXT NOT NULL, inbox TEXT NOT NULL, PRIMARY KEY (object, inbox));

CREATE TABLE peer (
  origin TEXT PRIMARY KEY, host TEXT NOT NULL, first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL,
  rfc9421_until BIGINT, no_content_usage_until BIGINT, rung TEXT NOT NULL);
CREATE INDEX peer_by_host ON peer (host);

CREATE TABLE rule (
  id TEXT PRIMARY KEY, host TEXT NOT NULL UNIQUE, action TEXT NOT NULL, note TEXT NOT NULL, created BIGINT NOT NULL);

CREATE TABLE observation (
  id TEXT PRIMARY KEY, host TEXT NOT NULL, origin TEXT NOT NULL, at BIGINT NOT NULL, violation TEXT,
  proven BIGINT NOT NULL, evidence TEXT NOT NULL, sha256 TEXT NOT NULL, cleared BIGINT);
CREATE INDEX observation_by_origin ON observation (origin, cleared, at);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY, at BIGINT NOT NULL, event TEXT NOT NULL, host TEXT NOT NULL, reason TEXT NOT NULL,
  detail TEXT NOT NULL);
"""


_CLIENTS = """
ALTER TABLE token ADD COLUMN scopes TEXT NOT NULL DEFAULT 'read write';
ALTER TABLE token ADD COLUMN client TEXT;

CREATE TABLE oauth_client (
  id TEXT PRIMARY KEY, secret_hash TEXT, name TEXT NOT NULL, website TEXT NOT NULL, redirect_uris TEXT NOT NULL,
  scopes TEXT NOT NULL, created BIGINT NOT NULL);

CREATE TABLE oauth_code (
  hash TEXT PRIMARY KEY, client TEXT NOT NULL, account TEXT NOT NULL, redirect_uri TEXT NOT NULL,
  scopes TEXT NOT NULL, challenge TEXT NOT NULL, expires BIGINT NOT NULL, used BIGINT, token TEXT);

CREATE TABLE sign_in (hash TEXT PRIMARY KEY, account TEXT NOT NULL, expires BIGINT NOT NULL, used BIGINT);

CREATE TABLE inbox_item (
  id INTEGER PRIMARY KEY, account TEXT NOT NULL, activity TEXT NOT NULL, actor TEXT NOT NULL, received BIGINT NOT NULL);
CREATE UNIQUE INDEX inbox_item_once ON inbox_item (account, activity, actor);
CREATE INDEX inbox_item_received ON inbox_item (received);

CREATE TABLE collection_item (
  collection TEXT NOT NULL, item TEXT NOT NULL, added BIGINT NOT NULL, PRIMARY KEY (collection, item));

CREATE TABLE addressee (activity TEXT NOT NULL, actor TEXT NOT NULL, PRIMARY KEY (activity, actor));

CREATE TABLE hidden_recipient (thing TEXT NOT NULL, actor TEXT NOT NULL, PRIMARY KEY (thing, actor));

CREATE TABLE media_use (media TEXT NOT NULL, object TEXT NOT NULL, PRIMARY KEY (media, object));
INSERT INTO media_use SELECT id, object FROM media WHERE object IS NOT NULL;

CREATE INDEX interaction_by_actor ON interaction (actor, kind, created);
CREATE INDEX media_by_object ON media (object);
"""


_BOUNDS = """
CREATE INDEX job_to_settle ON job (id) WHERE kind = 'settle' AND state = 'queued';
"""


_TURNS = """
ALTER TABLE job ADD COLUMN pool BIGINT NOT NULL DEFAULT 1;
ALTER TABLE job ADD COLUMN verb TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN begun BIGINT NOT NULL DEFAULT 0;
DROP INDEX job_due;
DROP INDEX job_lane;
DROP INDEX job_peer;
DROP INDEX job_to_settle;
UPDATE job SET pool = 0 WHERE kind = 'settle';
UPDATE job SET begun = 1 WHERE attempts > 0;
UPDATE job SET verb = coalesce((SELECT type FROM activity WHERE id = json_extract(job.payload, '$.activity')), '')
  WHERE kind = 'deliver';
UPDATE job SET state = 'queued', lease_owner = NULL WHERE state = 'leased';
CREATE INDEX job_lane ON job (lane, id) WHERE state IN ('waiting', 'queued', 'leased');
UPDATE job SET state = 'waiting' WHERE state = 'queued' AND EXISTS (
  SELECT 1 FROM job e WHERE e.lane = job.lane AND e.id < job.id AND e.state IN ('waiting', 'queued', 'leased'));
CREATE INDEX job_ready ON job (pool, peer, due, id) WHERE state = 'queued';
CREATE INDEX job_in_hand ON job (peer) WHERE state = 'leased';
CREATE INDEX job_lease ON job (lease_until) WHERE state = 'leased';
CREATE INDEX job_begun ON job (lane) WHERE begun = 1;
CREATE INDEX job_delivery ON job (lane) WHERE kind = 'deliver';
CREATE INDEX job_state ON job (state, id);
CREATE INDEX job_said ON job (peer, id) WHERE (status IS NOT NULL OR problem IS NOT NULL);
CREATE INDEX job_open ON job (peer) WHERE state IN ('waiting', 'queued', 'leased');
CREATE INDEX job_arrivals ON job (id) WHERE pool = 0 AND state IN ('waiting', 'queued');
CREATE INDEX job_finished ON job (finished) WHERE finished IS NOT NULL;
CREATE INDEX actor_by_shared_inbox ON remote_actor (shared_inbox) WHERE shared_inbox IS NOT NULL;

CREATE TABLE turn (
  pool BIGINT NOT NULL, peer TEXT NOT NULL, next BIGINT, opens BIGINT NOT NULL, served BIGINT NOT NULL,
  PRIMARY KEY (pool, peer));
CREATE INDEX turn_next ON turn (pool, next, served);
CREATE INDEX turn_peer ON turn (peer);
INSERT INTO turn SELECT pool, peer, min(due), 0, 0 FROM job WHERE state = 'queued' GROUP BY pool, peer;

CREATE TABLE circuit (
  origin TEXT PRIMARY KEY, recent TEXT NOT NULL, until BIGINT, days BIGINT NOT NULL, last BIGINT,
  mending BIGINT NOT NULL);
"""


_SEALS = """
ALTER TABLE object ADD COLUMN seal BLOB;
ALTER TABLE activity ADD COLUMN seal BLOB;
ALTER TABLE account ADD COLUMN seal BLOB;
ALTER TABLE job ADD COLUMN deaths BIGINT NOT NULL DEFAULT 0;
CREATE INDEX peer_risen ON peer (origin) WHERE rung <> 'H0';
CREATE INDEX object_unsealed ON object (id) WHERE seal IS NULL;
CREATE INDEX activity_unsealed ON activity (id) WHERE seal IS NULL;
CREATE INDEX account_unsealed ON account (id) WHERE seal IS NULL;
"""


_FEWER_INDEXES = """
DROP INDEX job_state;
DROP INDEX job_in_hand;
DROP INDEX job_begun;
DROP INDEX job_open;
DROP INDEX job_lease;
DROP INDEX job_delivery;
CREATE INDEX job_open ON job (peer, state, pool) WHERE state IN ('waiting', 'queued', 'leased');
CREATE INDEX job_lease ON job (lease_until, lease_owner) WHERE state = 'leased';
CREATE INDEX job_delivery ON job (lane) WHERE pool > 0;
CREATE INDEX job_dead ON job (pool) WHERE state = 'dead';
INSERT INTO turn SELECT pool, peer, NULL,
  coalesce((SELECT max(until) FROM circuit WHERE origin = job.peer AND job.pool > 0), 0), 0
  FROM job WHERE state = 'waiting' GROUP BY pool, peer ON CONFLICT DO NOTHING;
"""


_OPEN = """
DROP INDEX job_lane;
DROP INDEX job_ready;
DROP INDEX job_open;
DROP INDEX job_arrivals;
DROP INDEX job_said;
UPDATE job SET finished = due WHERE finished IS NULL AND state NOT IN ('waiting', 'queued', 'leased');
UPDATE job SET finished = NULL WHERE finished IS NOT NULL AND state IN ('waiting', 'queued', 'leased');
CREATE INDEX job_lane ON job (lane, id) WHERE finished IS NULL;
CREATE INDEX job_open ON job (pool, peer, state, due, id) WHERE finished IS NULL;
"""

# The key is a hash of both ids (neither holds a blank): their index was a third of what is kept of an arrival for a year.
_HASHED_ARRIVALS = """
CREATE TABLE hashed_arrival (
  key BLOB NOT NULL UNIQUE, id TEXT NOT NULL, actor TEXT NOT NULL, origin TEXT NOT NULL, inbox TEXT NOT NULL,
  body BLOB NOT NULL, headers TEXT NOT NULL, verdict TEXT NOT NULL, received BIGINT NOT NULL, settled BIGINT,
  outcome TEXT);
INSERT INTO hashed_arrival SELECT substr(sha256(CAST(id || ' ' || actor AS BLOB)), 1, 16), id, actor, origin, inbox,
  body, headers, verdict, received, settled, outcome FROM arrival;
DROP TABLE arrival;
ALTER TABLE hashed_arrival RENAME TO arrival;
"""

STEPS: tuple[tuple[str, str], ...] = (
    ("0001_first", _FIRST),  # every table
    ("0002_clients", _CLIENTS),  # an author's own software: scoped tokens, apps, inboxes to read, collections
    ("0003_bounds", _BOUNDS),  # how many arrivals wait is known at once
    ("0004_turns", _TURNS),  # peers have turns, so that a claim costs the same however much is queued
    ("0005_seals", _SEALS),  # what goes out is sealed, so that a flipped bit is found
    ("0006_fewer_indexes", _FEWER_INDEXES),  # what a job costs is mostly what its indexes cost
    ("0007_open", _OPEN),  # what is open has not finished: an index by states is written whenever a state changes
    ("0008_hashed_arrivals", _HASHED_ARRIVALS),  # ids are kept for a year, and an index over them is large
)
MIGRATIONS = Migrations("gateway")
_REPLACED = re.compile(r"^DROP TABLE (\w+)", re.MULTILINE)
_FOR_POSTGRES = (
    (re.compile(r"CAST\((.+?) AS BLOB\)"), r"convert_to(\1, 'UTF8')"),
    (re.compile(r"\bINTEGER PRIMARY KEY\b"), "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    (re.compile(r"\bBLOB\b"), "BYTEA"),
    # As in SQLite text is ordered by its bytes, whatever the server's language is.
    (re.compile(r"\bTEXT\b(?=[ ,)])"), 'TEXT COLLATE "C"'),
    (re.compile(r"json_extract\(([\w.]+), '\$\.(\w+)'\)"), r"(CAST(\1 AS json) ->> '\2')"),
)


def statements(script: str) -> list[str]:
    """Return the statements of a step."""
    return [statement.strip() for statement in script.split(";\n") if statement.strip()]


def statements_for_postgres(script: str) -> list[str]:
    """Return the statements of a step in PostgreSQL's words; whoever writes to what is replaced waits until it is."""
    locks = [f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE" for name in _REPLACED.findall(script)]
    for pattern, words in _FOR_POSTGRES:
        script = pattern.sub(words, script)
    return [*locks, *statements(script)]


def _register(name: str, script: str) -> None:
    @MIGRATIONS(name=name)
    def step(database: sqlite_utils.Database) -> None:
        for statement in statements(script):
            database.execute(statement)


for _name, _script in STEPS:
    _register(_name, _script)
