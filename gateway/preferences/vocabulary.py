"""The words: seven categories of AI use, three axes of reuse, and what can be said about each.

There is no default: a category that nobody speaks about is unstated. The identifiers are our own;
the nearest public terms are those of draft-ietf-aipref-vocab-08.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum


class Preference(StrEnum):
    """What may be said about one category; saying nothing is the third state."""

    DISALLOW = "n"
    ALLOW = "y"


class Category(StrEnum):
    """One kind of use."""

    TRAIN_GEN = "train-gen"
    TRAIN_OTHER = "train-other"
    AI_INPUT = "ai-input"
    AI_GENERATE = "ai-generate"
    AI_INDEX = "ai-index"
    SEARCH = "search"
    TDM = "tdm"
    BRIDGE = "bridge"
    BULK_DATASET = "bulk-dataset"
    ARCHIVE = "archive"


AXES = (Category.BRIDGE, Category.BULK_DATASET, Category.ARCHIVE)
CATEGORIES = tuple(category for category in Category if category not in AXES)
TRAINING = (Category.TRAIN_GEN, Category.TRAIN_OTHER)
AI_USES = (*TRAINING, Category.AI_INPUT, Category.AI_GENERATE, Category.AI_INDEX)

MEANINGS: Mapping[Category, str] = {
    Category.TRAIN_GEN: "training or fine-tuning generative models",
    Category.TRAIN_OTHER: "training models that do not generate",
    Category.AI_INPUT: "feeding a model at the time of an answer",
    Category.AI_GENERATE: "imitating its author: style, persona, remix",
    Category.AI_INDEX: "embedding or indexing for AI retrieval",
    Category.SEARCH: "search that links back",
    Category.TDM: "any other automated analysis",
    Category.BRIDGE: "bridging to another network",
    Category.BULK_DATASET: "bulk data sets",
    Category.ARCHIVE: "public archives",
}


class Preferences(Mapping[Category, Preference]):
    """An immutable, hashable map from category to preference, in the order of the vocabulary."""

    __slots__ = ("_items",)
    _items: dict[Category, Preference]

    def __init__(self, items: Mapping[Category, Preference] | Iterable[tuple[Category, Preference]] = ()) -> None:
        """Take what is stated; leave out what is not."""
        given = dict(items)
        object.__setattr__(self, "_items", {c: given[c] for c in Category if c in given})

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse: values do not change."""
        raise AttributeError(name)

    def __getitem__(self, category: Category) -> Preference:
        """Return what is stated; raise KeyError when nothing is."""
        return self._items[category]

    def __contains__(self, category: object) -> bool:
        """Tell whether anything is stated."""
        return category in self._items

    def __iter__(self) -> Iterator[Category]:
        """Iterate over stated categories in the order of the vocabulary."""
        return iter(self._items)

    def __len__(self) -> int:
        """Return how many categories are stated."""
        return len(self._items)

    def __hash__(self) -> int:
        """Hash by content."""
        return hash(tuple(self._items.items()))

    def __eq__(self, other: object) -> bool:
        """Compare by content with any mapping."""
        return isinstance(other, Mapping) and self._items == dict(other)

    def __repr__(self) -> str:
        """Return the native text form."""
        return f"Preferences({', '.join(f'{c}={p}' for c, p in self._items.items())})"

    def disallows(self, category: Category) -> bool:
        """Tell whether ``category`` is stated as not allowed."""
        return self._items.get(category) is Preference.DISALLOW

    def allows(self, category: Category) -> bool:
        """Tell whether ``category`` is stated as allowed."""
        return self._items.get(category) is Preference.ALLOW

    def as_json(self) -> dict[str, str]:
        """Return ``{"train-gen": "n", ...}``."""
        return {category.value: preference.value for category, preference in self._items.items()}

    @classmethod
    def of(cls, **stated: str) -> Preferences:
        """Build from keywords: ``Preferences.of(train_gen="n", search="y")``."""
        return cls({Category(name.replace("_", "-")): Preference(value) for name, value in stated.items()})

    @classmethod
    def from_json(cls, document: object) -> Preferences:
        """Read ``{"train-gen": "n"}``; whatever is not exactly a known category with n or y is unstated."""
        if not isinstance(document, Mapping):
            return cls()
        return cls(
            {
                category: Preference(document[category.value])
                for category in Category
                if document.get(category.value) in ("n", "y") and isinstance(document.get(category.value), str)
            }
        )


NOTHING = Preferences()


def labels(preferences: Preferences) -> tuple[str, ...]:
    """Return the plain words ``noai`` and ``notrain`` that ``preferences`` earn."""
    words = []
    if all(preferences.disallows(category) for category in AI_USES):
        words.append("noai")
    if all(preferences.disallows(category) for category in TRAINING):
        words.append("notrain")
    return tuple(words)
