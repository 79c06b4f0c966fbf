"""Pages: jinja2 with autoescape, the words of both languages, and the preferences of the page in its head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from gateway import __version__
from gateway.carriers import html_meta
from gateway.carriers.forms import FORMS
from gateway.preferences import CATEGORIES, Preferences, labels
from gateway.web.context import kit_of, language_of, state_preferences
from gateway.web.messages import MEANINGS, WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

PAGES = Path(__file__).parent / "pages"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(PAGES), autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


def render(request: Request, name: str, values: Mapping[str, Any], prefs: Preferences | None = None) -> str:
    """Return a page in the reader's language; ``prefs`` are what it states about its content."""
    kit, language = kit_of(request), language_of(request)
    stated = kit.settings.instance_preferences if prefs is None else prefs
    state_preferences(request, stated)
    words = WORDS[language]
    return _ENVIRONMENT.get_template(name).render(
        **values,
        base=kit.base,
        language=language,
        other_language="ja" if language == "en" else "en",
        # One slash at the start, so that an address made of two never becomes another host.
        path="/" + quote(request.scope["path"].lstrip("/"), safe="/@"),
        version=__version__,
        t=words.__getitem__,
        metas=html_meta.render(stated, kit.policy_url),
        prefs=stated,
        labels=labels(stated),
        categories=[(category.value, MEANINGS[category][language], stated.get(category)) for category in CATEGORIES],
        forms=[(form.name, form.show(stated, kit.policy_url)) for form in FORMS.values()],
        safe=Markup,
    )
