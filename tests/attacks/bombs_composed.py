"""Documents put together at random from what the gateway's readers find hardest, each within every limit by itself."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from attacks.bombs import packed
from attacks.bombs_beyond import AIU, ALIASED, HTML, INTEGRITY, MULTIKEY, NO, RENAMED, SECURITY, languages, terms, usage
from attacks.scene import LABELLED
from peers.plain import AS2

from gateway.activitypub.bounds import MOST

if TYPE_CHECKING:
    from attacks.bombs import Aim, Recipe

KNOWN = (INTEGRITY, MULTIKEY, SECURITY, "https://www.w3.org/ns/did/v1", "https://w3id.org/identity/v1")
INLINE: tuple[Any, ...] = (
    dict(LABELLED[1]),
    RENAMED,
    ALIASED,
    {"x": AIU},
    terms(10),
    terms(200),
    terms(900),
    {"@vocab": "https://v.example/"},
    {"@language": "en"},
    {"@base": "https://x.example/" + "a/" * 900},
    {"n": "@nest"},
    {"set": {"@container": "@set"}},
    {"i": {"@id": "https://x.example/i", "@container": "@index"}},
    {"l": {"@id": "https://x.example/l", "@container": "@list"}},
    {"lm": {"@id": "https://x.example/lm", "@container": "@language"}},
    {"g": {"@id": "https://x.example/g", "@container": "@id"}},
)
NODES: tuple[dict[str, Any], ...] = (
    {"type": "Hashtag", "name": "#a"},
    {"type": "DataIntegrityProof"},
    {"kind": "DataIntegrityProof"},
    {"type": "Multikey"},
    {"name": "x", "content": "y"},
    {"content": "<b a>x"},
    {"i": {"a": 1}},
    {"l": [1, 2]},
    {"lm": {"en": "x"}},
    {"n": {"name": "x"}},
    {"g": {"https://x.example/1": {"name": "x"}}},
    {"nameMap": {"en": "x", "ja": "y"}},
    {"endpoints": {"sharedInbox": "x"}},
    {"publicKey": {"type": "Key"}},
    {"url": "../a"},
    {"@context": [{}]},
    {"type": ["Note"] * 20},
    {"proof": {}},
    {"assertionMethod": [{"type": "Multikey"}]},
    {"aiUsage": usage(1)},
    {"contentUsage": NO},
    {"summary": "<p>" * 20},
)
MEMBERS = ("tag", "icon", "image", "replies", "x")
USAGES = ("aiUsage", "u", f"{AIU}aiUsage", "aiu:aiUsage")
MOST_TEXT = 600_000


def composed(seed: int) -> Recipe:
    """Return the recipe with this number."""

    def recipe(aim: Aim) -> bytes:
        return _Composer(random.Random(seed), aim).document()

    return recipe


class _Composer:
    def __init__(self, chance: random.Random, aim: Aim) -> None:
        self._chance = chance
        self._aim = aim

    def document(self) -> bytes:
        chance, aim = self._chance, self._aim
        note = self._note()
        activity = {"@context": self._context(), **self._labels()}
        if chance.random() < 0.3 and "attachment" in note:
            activity["attachment"] = note["attachment"]
        if chance.random() < 0.6:
            return packed(aim.create(activity, **note))
        inner = {"id": aim.post, "type": "Note", **note}
        for _ in range(chance.choice([0, 3, 15])):
            inner = {"id": aim.post, "type": "Note", "icon": inner, **(self._labels() if chance.random() < 0.2 else {})}
        kind = chance.choice(["Announce", "Create", "Update", "Like"])
        return packed({**aim.peer.activity(kind, inner, to=[aim.alice]), **activity})

    def _note(self) -> dict[str, Any]:
        chance = self._chance
        members = chance.choice([500, 2_900, 10_000])
        note = self._labels()
        if chance.random() < 0.7:
            note[chance.choice(MEMBERS)] = self._nodes(min(members, MOST["tag"] - 20))
        if chance.random() < 0.5:
            note["y"] = [[0] * 250] * (members // 300)
        if chance.random() < 0.6:
            each = self._labels()
            if chance.random() < 0.5:
                each["icon"] = self._nodes(members // 40)
            note["attachment"] = [{**image, **each} for image in self._aim.images(chance.choice([1, 8, 32]))]
        if chance.random() < 0.4:
            note["content"] = chance.choice(list(HTML.values()))
        elif chance.random() < 0.4:
            text = chance.choice(list(HTML.values()))
            note["contentMap"] = languages(min(40, MOST_TEXT // len(text)), text)
        return note

    def _context(self) -> list[Any]:
        chance = self._chance
        parts = [*chance.sample(KNOWN, chance.randint(0, 4)), *chance.sample(INLINE, chance.randint(0, 5))]
        chance.shuffle(parts)
        return [AS2, *parts]

    def _nodes(self, most: int) -> list[dict[str, Any]]:
        share = self._chance.choice([1, 2, 5])
        return [self._chance.choice(NODES)] * self._chance.randint(1, max(1, most // share))

    def _labels(self) -> dict[str, Any]:
        chance = self._chance
        made: dict[str, Any] = {}
        if chance.random() < 0.5:
            made["contentUsage"] = chance.choice([NO, [NO] * chance.randint(1, 32), NO + ";a=1" * 2_000])
        if chance.random() < 0.5:
            lists = [usage(chance.randint(1, 32), number) for number in range(chance.randint(1, MOST["aiUsage"]))]
            made[chance.choice(USAGES)] = chance.choice([lists[0], lists])
        if chance.random() < 0.3:
            made["c"] = [NO] * chance.randint(1, 32)
        if chance.random() < 0.3:
            made["xRobotsTag"] = "noai," * 1_600
        if chance.random() < 0.3:
            made["indexable"] = [False] * chance.randint(1, 32)
        return made
