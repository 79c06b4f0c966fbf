"""What happens in the demo, step by step, and who takes part."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from demo_picture import png
from demo_servers import eventually

from gateway.policy.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from pathlib import Path

    from demo_servers import Node
    from demo_teller import Teller
    from peers.faithless import FaithlessPeer

USAGE = "train-ai=n, ai-use=n, search=y"
ASKED = {"train-gen": "n", "ai-input": "n", "search": "y"}
TIGHTER = "train-ai=n, ai-use=n, search=n"
ALT = "A blue and orange square"


@dataclass(slots=True)
class Demo:
    """Everybody in the demo, and what later steps need from earlier ones."""

    home: Node
    other: Node
    peer: FaithlessPeer
    tell: Teller
    folder: Path
    post: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    evidence: str = ""

    async def command(self, node: Node, *args: str) -> Any:
        """Show a command, run it, return what it printed."""
        self.tell.command([arg.replace(f"{self.folder}/", "") for arg in args])
        return (await node.run(*args)).data

    async def published(self, *args: str) -> str:
        """Let alice publish a post; return its id."""
        return str((await self.command(self.home, "post", "create", "alice", *args))["id"])

    async def arrived(self, object_id: str) -> None:
        """Wait until carol's gateway has an object."""
        await eventually(lambda: self.other.stored(object_id), f"{object_id} arrived at {self.other.base}")

    async def idle(self) -> None:
        """Wait until alice's gateway has nothing left to deliver to anybody."""
        await eventually(self.home.is_idle, "alice's gateway delivered everything")


async def start(demo: Demo) -> None:
    """Start everybody and make the two people."""
    tell, home, other = demo.tell, demo.home, demo.other
    tell.begin("Two gateways and one other server start")
    tell.explain(
        "A gateway publishes posts for people and puts their AI usage preferences on everything. The third server "
        "speaks the same protocol (ActivityPub) and will behave like any other at first."
    )
    await asyncio.gather(home.start(), other.start())
    tell.fact("home gateway", f"{home.base}   where alice writes")
    tell.fact("other gateway", f"{other.base}   where carol reads")
    tell.fact("third server", f"{demo.peer.base}   where bob reads, not a gateway")
    made = await asyncio.gather(
        demo.command(home, "account", "create", "alice", "--display-name", "Alice", "--preset", "noai"),
        demo.command(other, "account", "create", "carol", "--display-name", "Carol"),
    )
    prefs = made[0]["effective"]
    asked = {name: prefs.get(name) for name in ASKED}
    tell.check(asked == ASKED, "alice asks: no AI training, no AI use; search engines are welcome", prefs)


async def follow(demo: Demo) -> None:
    """Let carol and bob follow alice."""
    tell, home = demo.tell, demo.home
    alice = f"{home.base}/users/alice"
    tell.begin("carol and bob follow alice")
    await demo.command(demo.other, "follow", "add", "carol", f"@alice@localhost:{home.port}")
    answer = await demo.peer.follow(alice)
    tell.check(answer.status_code == httpx.codes.ACCEPTED, "the third server's signed Follow is taken", answer.text)
    await eventually(lambda: any(a["type"] == "Accept" for a in demo.peer.received), "bob's follow is accepted")
    rows = await _followers(demo)
    expected = {f"{demo.other.base}/users/carol", demo.peer.me.id}
    tell.check(rows == expected, "both follows are accepted: alice has two followers on two servers", rows)


async def _followers(demo: Demo) -> set[str]:
    rows = await demo.command(demo.home, "follow", "list", "alice")
    return {row["actor"] for row in rows if row["direction"] == "followed by" and row["state"] == "accepted"}


async def publish(demo: Demo) -> None:
    """Publish a picture and look at what went over the wire."""
    tell, peer = demo.tell, demo.peer
    tell.begin("alice publishes a picture, and her preferences travel with it")
    picture = demo.folder / "square.png"
    picture.write_bytes(png())
    demo.post = await demo.published("I made this myself.", "--media", str(picture), "--alt", ALT)
    await eventually(lambda: peer.told_about(demo.post, "Create"), "bob's server received the post")
    activity = peer.told_about(demo.post, "Create")[0]
    headers, demo.document = peer.received_headers[peer.received.index(activity)], activity["object"]
    tell.explain("What every follower's server got, as the third server received it:")
    signed = headers.get("signature-input") or headers.get("signature", "")
    tell.fact("HTTP header", f"Content-Usage: {headers.get('content-usage')}")
    tell.fact("JSON, post", _terms(demo.document))
    tell.fact("JSON, picture", _terms(demo.document["attachment"][0]))
    tell.check(headers.get("content-usage") == USAGE, "the request says it in a header", headers)
    tell.check("content-usage" in signed, "the header is covered by alice's signature, so nobody can change it", signed)
    tell.check(_labelled(demo.document), "the post says it as JSON-LD terms", demo.document)
    tell.check(_labelled(demo.document["attachment"][0]), "the picture inside says it, too", demo.document)


def _terms(document: dict[str, Any]) -> str:
    usage, words = document["contentUsage"], json.dumps(document["aiUsage"]["labels"])
    return f'"contentUsage": "{usage}", "aiUsage": {{"labels": {words}, ...}}'


def _labelled(document: dict[str, Any], usage: str = USAGE) -> bool:
    return document.get("contentUsage") == usage and document["aiUsage"]["labels"] == ["noai", "notrain"]


async def read_back(demo: Demo) -> None:
    """Ask carol's gateway what it understood, and the picture's address what it says."""
    tell, other = demo.tell, demo.other
    tell.begin("The other gateway knows what alice asked, and why")
    await demo.arrived(demo.post)
    found = await demo.command(other, "explain", demo.post)
    answers = {answer["category"]: answer["answer"] for answer in found["answers"]}
    reasons = next(a["because"] for a in found["answers"] if a["category"] == "train-gen")
    for reason in reasons:
        if reason["subject"]["ref"] == demo.post:
            who = reason["declaredBy"]
            tell.fact(f"{who['kind']} says", f"{reason['carrier']:<18}  ({reason['says']})")
    carriers = {reason["carrier"] for reason in reasons if reason["subject"]["ref"] == demo.post}
    tell.check(not found["fetched"], "carol's gateway kept the post with its labels; it needs to ask nobody")
    asked = {name: answers[name] for name in ASKED}
    tell.check(asked == ASKED, "training: no, AI use: no, search: yes", asked)
    wanted = {"aiUsage", "contentUsage", "http-content-usage"}
    tell.check(wanted <= carriers, "it read that from the JSON-LD terms and from the header", carriers)
    await _picture(demo)


async def _picture(demo: Demo) -> None:
    """Read the picture as anybody on the web would."""
    tell, url = demo.tell, demo.document["attachment"][0]["url"]
    tell.explain(f"Anybody who fetches the picture itself reads the same: {url}")
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(url)
    for name in ("content-usage", "tdm-reservation", "x-robots-tag"):
        tell.fact(name, answer.headers.get(name))
    says = answer.headers.get("content-usage")
    tell.check(answer.content == png() and says == USAGE, "the picture arrives whole, with its labels in headers", says)


async def edit(demo: Demo) -> None:
    """Change text and preferences of the post."""
    tell, other = demo.tell, demo.other
    tell.begin("alice edits the post and asks search engines to stay away, too")
    await demo.command(demo.home, "post", "edit", demo.post, "I made this, slowly.", "--prefs", "search=n")
    await eventually(lambda: "slowly" in other.text_of(demo.post), "the new text arrived at carol's gateway")
    tell.check(True, "carol's gateway has the new text")
    found = await demo.command(other, "explain", demo.post, "--use", "search")
    tell.check(found["answers"][0]["answer"] == "n", "search was yes before and is no now", found["answers"])
    await eventually(lambda: demo.peer.told_about(demo.post, "Update"), "bob's server received the edit")
    demo.document = demo.peer.told_about(demo.post, "Update")[-1]["object"]
    tell.check(_labelled(demo.document, TIGHTER), f"bob's server was told, too: {TIGHTER}", demo.document)


async def delete(demo: Demo) -> None:
    """Publish and delete another post."""
    tell, other = demo.tell, demo.other
    tell.begin("alice deletes a post; the others delete it, too")
    regretted = await demo.published("I will regret this.")
    await demo.arrived(regretted)
    await demo.command(demo.home, "post", "delete", regretted)
    await eventually(lambda: (found := other.stored(regretted)) and found.deleted, "carol's gateway deleted the post")
    tell.check("regret" not in other.text_of(regretted), "carol's gateway keeps only a tombstone, without the text")
    await eventually(lambda: demo.peer.told_about(regretted, "Delete"), "bob's server was told about the deletion")
    answer = await demo.peer.get(regretted)
    gone, type_ = answer.status_code == httpx.codes.GONE, answer.json().get("type")
    tell.check(gone and type_ == "Tombstone", "the home gateway answers 410 Gone for it", answer.text)


async def probe(demo: Demo) -> None:
    """Find the opposite on a page of the third server."""
    tell, peer = demo.tell, demo.peer
    tell.begin("The third server shows alice's post with the opposite of her words: it is limited")
    page = peer.show_again(demo.document)
    tell.explain(f'bob\'s server puts a copy on a page of its own, under "Content-Usage: train-ai=y": {page}')
    found = await demo.command(demo.home, "peers", "probe", peer.base, "--url", page)
    against = [item for item in found["contradictions"] if item["url"] == page and item["object"] == demo.post]
    for item in against:
        tell.fact("contradiction", f"{item['category']}: alice says {item['asked']}, the page says {item['shown']}")
    tell.check(against, "the gateway looked at the page itself and found the contradiction", found)
    decision = found["decision"]
    tell.fact("decision", f"{decision['action']} ({decision['reason']})")
    tell.fact("because", decision["because"])
    expected = ("limit", "contradicted-preferences")
    tell.check((decision["action"], decision["reason"]) == expected, "one look is enough to limit it", decision)
    await _limited(demo)


async def _limited(demo: Demo) -> None:
    """Show what limited means: pictures stop going there."""
    second = await demo.published("Another picture.", "--media", str(demo.folder / "square.png"), "--alt", ALT)
    await demo.arrived(second)
    await demo.idle()
    told = demo.peer.told_about(second)
    demo.tell.check(not told, "limited means: this new picture went to carol's gateway, not to bob's server", told)


async def refuse(demo: Demo) -> None:
    """Let the third server sign the opposite."""
    tell, peer = demo.tell, demo.peer
    tell.begin("The third server signs the opposite: it is refused, and told why")
    tell.explain(
        "Now bob boosts alice's post with a copy inside that allows everything, signed with his own key. That is not "
        "a page that may change tomorrow but a proof."
    )
    tell.shows(f"POST {demo.home.base}/inbox\nAnnounce of {demo.post}, contentUsage: train-ai=y, aiUsage: all y")
    answer = await peer.assert_opposite(f"{demo.home.base}/inbox", demo.document)
    tell.explain("The home gateway answers:")
    media = answer.headers.get("content-type", "")
    problem = answer.json() if "json" in media else {}
    tell.fact("status", f"{answer.status_code}   {media}")
    for name in ("code", "detail", "evidence", "appeal"):
        tell.fact(name, ", ".join(problem[name]) if isinstance(problem.get(name), list) else problem.get(name))
    refused = answer.status_code == httpx.codes.FORBIDDEN and media == "application/problem+json"
    tell.check(refused, "403 with a problem document", answer.text)
    tell.check(problem["code"] == "altered-preferences", "its code names the reason: altered-preferences", problem)
    complete = len(problem["evidence"]) == 1 and problem["appeal"].startswith("http")
    tell.check(complete, "it names the evidence, and where a person can appeal", problem)
    demo.evidence = problem["evidence"][0]


async def silence(demo: Demo) -> None:
    """Show that nothing goes to the refused server, and that the other gateway is not touched."""
    tell, peer = demo.tell, demo.peer
    tell.begin("Nothing more goes to the refused server")
    before = len(peer.received)
    later = await demo.published("Only for those who keep their word.")
    await demo.arrived(later)
    tell.check(True, "alice's next post reaches carol's gateway, which is on the same machine but another peer")
    await demo.idle()
    more = peer.received[before:]
    tell.check(not more, "bob's server gets nothing, and no delivery waits for it", more)
    answer = await peer.get(later)
    refused = answer.status_code == httpx.codes.FORBIDDEN and answer.json()["code"] == "altered-preferences"
    tell.check(refused, "it cannot fetch the post either: 403 altered-preferences", answer.text)


async def look(demo: Demo) -> None:
    """Show what an admin sees."""
    tell, home, peer = demo.tell, demo.home, demo.peer
    tell.begin("What the admin of the home gateway sees")
    args = ("peers", "show", peer.base)
    tell.command(args)
    text, shown, neighbour = await asyncio.gather(
        home.run(*args, as_json=False), home.run(*args), home.run("peers", "show", demo.other.base)
    )
    tell.shows(_shortened(text.out))
    standing, decision, evidence = shown.data["standing"], shown.data["decision"], shown.data["evidence"]
    tell.check(standing["violation"] == "V3", "standing: V3, it signed the opposite of an author's words", standing)
    because = SENTENCES[Reason.ALTERED_PREFERENCES].en
    refused = (decision["action"], decision["because"]) == ("refuse", because) and because in text.out
    tell.check(refused, "decision: refuse, and because of what", decision)
    tell.check(demo.evidence in decision["evidence"], "evidence: the very record that bob's server was told", decision)
    kept = {item["violation"]: item["record"] for item in evidence}
    tell.check(kept["V3"]["signatureHeaders"], "the record holds the signature of bob's server", kept)
    tell.check(kept["V2"]["contradictions"], "what its page said is still on record, too", kept)
    action = neighbour.data["decision"]["action"]
    tell.check(action == "allow", "the other gateway is still allowed", neighbour.data["decision"])


def _shortened(text: str) -> str:
    """Return a command's output with only the first two of each run of indented lines."""
    lines: list[str] = []
    hidden = 0
    for line in [*text.rstrip().splitlines(), ""]:
        if line.startswith("  ") and len(lines) > 1 and lines[-2].startswith("  "):
            hidden += 1
            continue
        if hidden:
            lines.append(f"  ... and {hidden} more")
        hidden = 0
        lines.append(line)
    return "\n".join(lines).rstrip()


STEPS = (start, follow, publish, read_back, edit, delete, probe, refuse, silence, look)
