"""Every proof and signature inside a document, with each check: to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.activitypub.actor import keys_of
from gateway.errors import BadUrl, GatewayError
from gateway.flows import bounded, discover
from gateway.flows.profile import profile_of
from gateway.jsonld.requested import context_urls
from gateway.signatures import linked_data, owner, proof
from gateway.signatures.verdict import Step
from gateway.urls import same_origin, try_origin, without_fragment

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.signatures.owner import ListedKey
    from gateway.signatures.verdict import Verdict

MAX_PROOFS = 8  # of one object; each may cost a fetch


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One proof or signature: where it stands, its cryptosuite, the verdict, and the text that is signed."""

    pointer: str
    verdict: Verdict
    suite: str | None = None
    signing_string: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return it as it is printed."""
        return {
            "pointer": self.pointer,
            "scheme": self.verdict.scheme,
            "suite": self.suite,
            "ok": self.verdict.ok,
            "keyId": self.verdict.key_id,
            "steps": [step.as_json() for step in self.verdict.steps],
            "signingString": self.signing_string,
        }


async def proofs_in(
    kit: Kit, document: Mapping[str, object], *, fetch_keys: bool, canonicalise: bool = True
) -> tuple[Judged, ...]:
    """Judge every proof and signature on a document and on its embedded object.

    ``canonicalise`` is off for a document that was stopped before: it would be again.
    """
    found: list[Judged] = []
    embedded = document.get("object")
    nodes = [("", document), *([("/object", embedded)] if isinstance(embedded, Mapping) else [])]
    for pointer, node in nodes:
        whole = node if "@context" in node else {"@context": document.get("@context"), **node}
        value = node.get("proof")
        proofs = value if isinstance(value, list) else [value] if value is not None else []
        for index, one in enumerate(proofs[:MAX_PROOFS]):
            here = f"{pointer}/proof/{index}" if isinstance(value, list) else f"{pointer}/proof"
            found.append(await _proof(kit, here, {**whole, "proof": one}, fetch_keys=fetch_keys))
        if "signature" in node:
            key = await key_of(kit, linked_data.creator_of(whole) or "", fetch_keys=fetch_keys)
            found.append(await _signature(kit, f"{pointer}/signature", whole, key, canonicalise=canonicalise))
    return tuple(found)


async def _proof(kit: Kit, pointer: str, document: Mapping[str, object], *, fetch_keys: bool) -> Judged:
    value = document.get("proof")
    given = value if isinstance(value, Mapping) else {}
    method, suite = _text(given, "verificationMethod"), _text(given, "cryptosuite")
    key = await key_of(kit, method, fetch_keys=fetch_keys)
    verdict = proof.verify(
        document, key.public if key is not None else None, method, kit.clock.now(), owner=key.owner if key else ""
    )
    found = Step(
        name="key", expected="listed by its owner at the owner's own id", found="listed" if key else "not found",
        ok=key is not None,
    )  # fmt: skip
    steps = (*verdict.steps[:-1], found, verdict.steps[-1])
    return Judged(
        pointer=pointer,
        suite=suite or None,
        verdict=replace(verdict, steps=steps, key_id=method),
        signing_string=_hash_data(document, given) if suite == proof.SUITE else None,
    )


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) else ""


def _hash_data(document: Mapping[str, object], given: Mapping[str, object]) -> str | None:
    """Return, in hexadecimal, the hashes that the proof signs."""
    options = {name: item for name, item in given.items() if name != "proofValue"}
    try:
        return proof.hash_data(document, options).hex()
    except ValueError:
        return None


async def _signature(
    kit: Kit, pointer: str, document: Mapping[str, object], key: ListedKey | None, *, canonicalise: bool
) -> Judged:  # fmt: skip
    options = await _canonical(kit, linked_data.options(document)) if canonicalise else None
    whole = await _canonical(kit, linked_data.unsigned(document)) if options is not None else None
    text = linked_data.signing_string(options, whole) if options is not None and whole is not None else None
    return Judged(pointer=pointer, verdict=linked_data.verify(document, key, options, whole), signing_string=text)


async def _canonical(kit: Kit, document: Mapping[str, object]) -> str | None:
    contexts = {url: kit.contexts.documents[url] for url in context_urls(document) if kit.contexts.knows(url)}
    answer = (await bounded.look({"document": document, "contexts": contexts, "views": ["nquads"]}))["nquads"]
    return answer.get("value")


async def key_of(kit: Kit, key_id: str, *, fetch_keys: bool) -> ListedKey | None:
    """Return a key with its owner: one of ours, one known, or, when asked for, one looked up."""
    if try_origin(key_id) is None:
        return None
    now = kit.clock.now()
    if same_origin(key_id, kit.base):
        account = kit.store.accounts.by_id(without_fragment(key_id))
        listed = owner.listed_keys({**keys_of(profile_of(kit, account)), "id": account.id}) if account else ()
        return next((key for key in listed if key.id == key_id), None)
    known = kit.store.relations.actor_of_key(key_id)
    if known is None and fetch_keys:
        try:
            known = await discover.key_by_id(kit, key_id)
        except (GatewayError, BadUrl):
            return None
    return owner.find(known.document, known.id, key_id, now) if known is not None else None
