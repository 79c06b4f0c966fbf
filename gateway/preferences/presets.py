"""The four ready-made choices an author can make with one word."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.preferences.vocabulary import CATEGORIES, NOTHING, TRAINING, Category, Preference, Preferences

if TYPE_CHECKING:
    from collections.abc import Mapping


class Preset(StrEnum):
    """The names of the presets."""

    NOAI = "noai"
    NOTRAIN = "notrain"
    PEOPLE_ONLY = "people-only"
    OPEN = "open"


_ALL = dict.fromkeys(CATEGORIES, Preference.DISALLOW)

PRESETS: Mapping[Preset, Preferences] = {
    Preset.NOAI: Preferences(_ALL | {Category.SEARCH: Preference.ALLOW}),
    Preset.NOTRAIN: Preferences(dict.fromkeys(TRAINING, Preference.DISALLOW)),
    Preset.PEOPLE_ONLY: Preferences(_ALL),
    Preset.OPEN: NOTHING,
}
