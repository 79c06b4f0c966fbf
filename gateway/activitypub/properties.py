"""Reading AS2 properties: a value may be an id, an object with an id, or a list of either."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from gateway.jsonld.contexts import AS2, PUBLIC

MAX_ITEMS = 256
PUBLIC_ALIASES = frozenset({PUBLIC, "as:Public", "Public"})
ACTIVITY_JSON = "application/activity+json"
LD_JSON = "application/ld+json"
PROFILED = f'{LD_JSON}; profile="{AS2}"'


def id_of(value: object) -> str | None:
    """Return the id that ``value`` is or has, or None."""
    if isinstance(value, Mapping):
        value = value.get("id", value.get("href"))
    return value if isinstance(value, str) and value else None


def only_id(value: object) -> str | None:
    """Return the id when ``value`` names exactly one thing, or None."""
    if isinstance(value, list):
        return id_of(value[0]) if len(value) == 1 else None
    return id_of(value)


def ids_of(value: object) -> list[str]:
    """Return every id in ``value`` in order, at most ``MAX_ITEMS``."""
    items = value if isinstance(value, list) else [value]
    return [found for item in items[:MAX_ITEMS] if (found := id_of(item)) is not None]


def type_of(document: Mapping[str, object]) -> str:
    """Return the first type, or an empty string."""
    value = document.get("type")
    items = value if isinstance(value, list) else [value]
    return next((item for item in items if isinstance(item, str)), "")


def text_of(document: Mapping[str, object], name: str) -> str:
    """Return a text property, or an empty string; a language map gives its first text."""
    value = document.get(name)
    if isinstance(value, str):
        return value
    mapped = document.get(f"{name}Map")
    if isinstance(mapped, Mapping):
        return next((text for text in mapped.values() if isinstance(text, str)), "")
    return ""


def hashtags_of(document: Mapping[str, object]) -> list[str]:
    """Return the names of the Hashtag tags of an object, without their ``#``."""
    tags = document.get("tag")
    listed = tags[:MAX_ITEMS] if isinstance(tags, list) else [tags]
    names = [tag.get("name") for tag in listed if isinstance(tag, Mapping) and tag.get("type") == "Hashtag"]
    return [name.lstrip("#") for name in names if isinstance(name, str)]


def nodes(
    document: object, limit: int = 500, items: int = MAX_ITEMS
) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, object]]]:
    """Yield (path, node) for every object inside ``document``, the outermost first; contexts left out."""
    waiting: deque[tuple[tuple[str | int, ...], object]] = deque([((), document)])
    while waiting and limit > 0:
        path, value = waiting.popleft()
        if isinstance(value, Mapping):
            limit -= 1
            yield path, value
            waiting += [((*path, key), item) for key, item in value.items() if key not in ("@context", "aiUsage")]
        elif isinstance(value, list):
            waiting += [((*path, index), item) for index, item in enumerate(value[:items])]
