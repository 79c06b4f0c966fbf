"""The closed list of reasons: every refusal, limit or drop names exactly one of these codes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.errors import Text

if TYPE_CHECKING:
    from collections.abc import Mapping


class Reason(StrEnum):
    """Stable codes, shown to peers, admins and in logs."""

    ALLOWED_BY_RULE = "allowed-by-rule"
    REFUSED_BY_RULE = "refused-by-rule"
    LIMITED_BY_RULE = "limited-by-rule"
    ALTERED_PREFERENCES = "altered-preferences"
    CONTRADICTED_PREFERENCES = "contradicted-preferences"
    PLEDGE_REQUIRED = "pledge-required"
    NOTHING_AGAINST = "nothing-against"
    OBSERVING_ONLY = "observing-only"


SENTENCES: Mapping[Reason, Text] = {
    Reason.ALLOWED_BY_RULE: Text(
        "An admin of this server allowed this host.", "このサーバーの管理者が許可したホストです。"
    ),
    Reason.REFUSED_BY_RULE: Text(
        "An admin of this server refuses this host.", "このサーバーの管理者が拒否したホストです。"
    ),
    Reason.LIMITED_BY_RULE: Text(
        "An admin of this server limits what this host receives.",
        "このサーバーの管理者が配信を制限しているホストです。",
    ),
    Reason.ALTERED_PREFERENCES: Text(
        "This server signed an activity that states the opposite of an author's AI usage preferences.",
        "このホストは、作者のAI利用に関する意思表示と反対の内容を自ら署名して送信しました。",
    ),
    Reason.CONTRADICTED_PREFERENCES: Text(
        "This server publishes our authors' posts with the opposite of their AI usage preferences.",
        "このホストは、作者のAI利用に関する意思表示と反対の内容を付けて投稿を再公開しています。",
    ),
    Reason.PLEDGE_REQUIRED: Text(
        "This server federates only with hosts that have pledged to honour AI usage preferences.",
        "このサーバーは、AI利用に関する意思表示の尊重を誓約したホストとのみ連合します。",
    ),
    Reason.NOTHING_AGAINST: Text("Nothing is known against this host.", "このホストについて問題は確認されていません。"),
    Reason.OBSERVING_ONLY: Text(
        "Something was observed; this server only records it.",
        "問題が観測されましたが、このサーバーは記録のみ行います。",
    ),
}
