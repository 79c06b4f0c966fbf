"""``gateway peers``: other servers, what we decided about them, because of what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.arguments import when
from gateway.cli.output import Run, command
from gateway.errors import BadInput, NotFound, Text
from gateway.flows import moderate, reach, watch
from gateway.policy.rules import Action
from gateway.store.database import from_ms
from gateway.urls import origin_of

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.store.peers import Evidence
    from gateway.urls import Origin

app = typer.Typer(help="Other servers and what we decided about them.", no_args_is_help=True)
Host = Annotated[str, typer.Argument(help="Host name or URL.")]
Note = Annotated[str, typer.Option(help="Your own note about why.")]


RUNGS = {
    "H0": "H0, nothing is known about it",
    "H1": "H1, its own pages reserve AI use",
    "H2": "H2, it says that it honours preferences",
    "H3": "H3, it pledged to honour preferences",
}
VIOLATIONS = {
    None: "no violation",
    "V2": "V2, its pages contradict our labels",
    "V3": "V3, it signed the opposite of our labels",
}


def _evidence(found: Evidence) -> dict[str, Any]:
    return {
        "id": found.id, "at": when(found.at), "violation": found.violation, "proven": found.proven,
        "sha256": found.sha256, "cleared": when(found.cleared), "record": found.record,
    }  # fmt: skip


def described(kit: Kit, origin: Origin) -> dict[str, Any]:
    """Return a peer with standing, decision, because and evidence."""
    standing, decision = moderate.standing_of(kit, origin), moderate.decision_about(kit, origin)
    rule = next((r for r in kit.store.peers.rules() if r.id == decision.rule), None)
    return {
        "host": origin.host,
        "origin": str(origin),
        "known": str(origin) in kit.store.peers.origins_of(origin.host),
        "standing": {"rung": standing.rung.value, "violation": standing.violation, "count": standing.count},
        "decision": decision.as_json(),
        "delivery": reach.outlook(kit, origin),
        "rule": {"host": rule.host, "action": rule.action.word, "note": rule.note} if rule else None,
        "evidence": [_evidence(found) for found in kit.store.peers.evidence(origin)],
        "audit": [
            {
                "at": when(from_ms(line["at"])),
                "event": line["event"],
                "reason": line["reason"],
                "detail": line["detail"],
            }
            for line in kit.store.peers.audit_lines(origin.host, limit=20)
        ],
    }


@command(app, "list")
async def list_peers(run: Run) -> None:
    """List every known server with its decision."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        rows = []
        for peer in kit.store.peers.all(kit.clock.now()):
            decision = moderate.decision_about(kit, origin_of(peer.origin))
            rows.append({
                "origin": peer.origin, "host": peer.host, "rung": peer.rung.value, "decision": decision.action.word,
                "reason": decision.reason.value, "signature": "rfc9421" if peer.speaks_rfc9421 else "cavage",
                "last_seen": when(peer.last_seen),
            })  # fmt: skip
        run.many(
            rows, ["origin", "rung", "decision", "reason", "signature", "last_seen"], "No other server is known yet."
        )


@command(app, "show")
async def show(run: Run, host: Host) -> None:
    """Show a server's standing, the decision, because of what, and the evidence."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        every = [described(kit, origin) for origin in moderate.peers_at(kit, host)]
        # Several ports of one host are several peers; the one that fares worst is shown first.
        every.sort(key=lambda peer: Action[peer["decision"]["action"].upper()], reverse=True)
        found = {**every[0], "others": [{"origin": p["origin"], "decision": p["decision"]} for p in every[1:]]}
        if not (found["known"] or found["evidence"] or found["rule"]):
            raise NotFound(f"nothing is known about {host}; see: gateway peers list")
        if run.json or run.jsonl:
            run.one(found)
            return
        decision, standing = found["decision"], found["standing"]
        run.one({
            "peer": found["origin"], "standing": f"{RUNGS[standing['rung']]}; {VIOLATIONS[standing['violation']]}",
            "decision": decision["action"], "reason": decision["reason"], "because": decision["because"],
            "evidence": decision["evidence"], "delivery": _delivery(found["delivery"]),
        })  # fmt: skip
        for item in found["evidence"]:
            state = f"cleared {item['cleared']}" if item["cleared"] else "counts"
            run.one({}, "")
            run.one(
                {"evidence": item["id"], "at": item["at"], "violation": item["violation"] or "in order", "state": state}
            )
            for contradiction in item["record"].get("contradictions", []):
                where = contradiction.get("url") or item["record"].get("activity")
                by = ", ".join(contradiction["carriers"])
                run.one({}, f"  {contradiction['category']}: asked n, shown y ({by}) for {contradiction['object']}")
                run.one({}, f"      in {where}")


def _delivery(found: dict[str, Any]) -> str:
    """Return in one line what waits for a peer, when it is tried next, and what it said last."""
    said = found["lastStatus"] or found["lastProblem"] or "nothing yet"
    following = f", next try {found['next']}" if found["next"] else ""
    days = f", failing on {found['failingDays']} days" if found["failingDays"] else ""
    return f"{found['circuit']}; {found['waiting']} waiting{following}; last answer {said}{days}"


async def _rule(run: Run, host: str, action: Action, note: str) -> None:
    async with run.gateway() as gateway:
        rule, stopped = moderate.set_rule(gateway.kit, moderate.host_of(host), action, note)
        run.one({"host": rule.host, "action": rule.action.word, "rule": rule.id, "deliveries_stopped": stopped})


@command(app, "allow")
async def allow(run: Run, host: Host, note: Note = "") -> None:
    """Allow exactly this host, whatever was observed."""
    await _rule(run, host, Action.ALLOW, note)


@command(app, "limit")
async def limit(run: Run, host: Host, note: Note = "") -> None:
    """Limit this host and its subdomains: it gets no media, and new posts only for followers."""
    await _rule(run, host, Action.LIMIT, note)


@command(app, "refuse")
async def refuse(run: Run, host: Host, note: Note = "") -> None:
    """Refuse this host and its subdomains: nothing is taken from it, nothing is sent to it."""
    await _rule(run, host, Action.REFUSE, note)


@command(app, "clear")
async def clear(run: Run, host: Host) -> None:
    """Remove the rule and stop counting what was observed; the records stay."""
    async with run.gateway() as gateway:
        had, cleared = moderate.clear(gateway.kit, host)
        run.one({"host": moderate.host_of(host), "rule_removed": had, "observations_cleared": cleared})


@command(app, "preview")
async def preview(
    run: Run, host: Host, action: Annotated[str, typer.Option(help="allow, limit or refuse.")] = "refuse"
) -> None:
    """Show which known servers a rule would move, and how many followers and deliveries that concerns."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        if action.upper() not in Action.__members__:
            raise BadInput(f"{action!r}; one of allow, limit, refuse", detail=Text("Unknown action", "不明な操作です"))
        chosen = Action[action.upper()]
        rows = [
            {
                "peer": moved.peer,
                "before": moved.before.action.word,
                "after": moved.after.action.word,
                "followers": kit.store.relations.count_followers_from(moved.peer),
                "queued": len(kit.store.jobs.find(kinds=("deliver",), peer=moved.peer)),
            }
            for moved in moderate.preview_rule(kit, moderate.host_of(host), chosen)
        ]
        run.many(rows, ["peer", "before", "after", "followers", "queued"], "No known server would be moved.")


@command(app, "probe")
async def probe(
    run: Run,
    host: Host,
    url: Annotated[list[str] | None, typer.Option(help="A page of it that shows our post.")] = None,
) -> None:
    """Look at a server's own pages, headers, robots.txt and documents for the opposite of our labels."""
    async with run.gateway() as gateway:
        found = await watch.probe(gateway.kit, host, tuple(url or ()))
        run.one({
            "origin": found.origin,
            "looked_at": [f"{look.url} ({look.status})" for look in found.looks],
            "contradictions": list(found.contradictions),
            "evidence": found.evidence.id,
            "decision": found.decision.as_json(),
        })  # fmt: skip
