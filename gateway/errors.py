"""Every error the gateway raises, with the text a stranger may read.

The tree (status for HTTP, exit code for the command line):

    GatewayError                    500  1
    ├── BadInput                    400  2   could not be parsed
    │   ├── BadUrl                  400  2
    │   ├── MalformedDocument       400  2
    │   └── MalformedSignature      400  5
    ├── NotAuthenticated            401  5   no signature or token that holds
    ├── Refused                     403  4   authenticated, and refused by policy
    ├── NotFound                    404  3
    ├── MethodNotAllowed            405  2
    ├── NotAcceptable               406  2
    ├── Conflict                    409  1
    ├── Gone                        410  3
    ├── TooLarge                    413  2
    ├── UnsupportedMediaType        415  2
    ├── WrongHost                   421  2
    ├── HeadersTooLarge             431  2
    ├── TooManyRequests             429  1
    ├── Unavailable                 503  6   passing: try again
    ├── RemoteUnreachable           502  6   somebody else's server
    │   ├── AddressRefused          502  6   the address policy said no
    │   └── RemoteAnswer            502  6   it answered, but not usefully
    ├── SettingsError               500  2
    └── StoreError                  503  1
        ├── MediaStoreError         503  1
        └── Contended               503  1   somebody else was in the way: the same again may succeed

``str(error)`` is internal text for logs. ``detail`` is safe for anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in each language that the gateway speaks."""

    en: str
    ja: str

    def in_language(self, language: str) -> str:
        """Return the sentence in ``language`` ("en" or "ja"; English otherwise)."""
        return self.ja if language == "ja" else self.en


SPECIAL_CODES: Mapping[str, Text] = {
    "foreign-id": Text(
        "The activity's id is not on its actor's origin.", "アクティビティのIDが送信者のオリジンと一致しません。"
    ),
    "key-host-unavailable": Text(
        "The server that holds the key could not be asked right now.", "鍵を持つサーバーに現在問い合わせできません。"
    ),
    "command-line-only": Text("This is done on the command line.", "この操作はコマンドラインから行ってください。"),
    "cross-site": Text("This form was sent from another site.", "他のサイトから送信されたフォームです。"),
    "insufficient-scope": Text("This token was not given for that.", "このトークンにはその操作の権限がありません。"),
    "no-actors-here": Text(
        "Accounts are made by the admin, not by software.", "アカウントはソフトウェアからは作成できません。"
    ),
    "not-pinnable": Text("Only your own public posts can be pinned.", "固定できるのは自分の公開投稿だけです。"),
    "preferences-unreadable": Text(
        "The preferences on this object cannot be read; see /ns/ai-usage.",
        "オブジェクトのAI利用に関する意思表示を読み取れません。/ns/ai-usage を参照してください。",
    ),
    "private-collection": Text("Only its owner reads this.", "所有者だけが読めます。"),
    "sign-in-invalid": Text(
        "This sign-in link is unknown, used or too old.", "サインイン用リンクが無効か、使用済みか、期限切れです。"
    ),
    "no-actor": Text(
        "An activity names exactly one actor, by its http(s) id.", "アクティビティにはactorのIDがちょうど1つ必要です。"
    ),
    "no-id": Text("An activity has an http(s) id of its own.", "アクティビティにはhttp(s)のIDが必要です。"),
    "not-announceable": Text("Only public posts can be boosted.", "ブーストできるのは公開投稿だけです。"),
    "not-the-owner": Text("This belongs to somebody else.", "これは他のアカウントのものです。"),
    "token-invalid": Text("The bearer token is unknown or revoked.", "トークンが無効か、取り消されています。"),
    "token-missing": Text("A bearer token is needed.", "トークンが必要です。"),
    "token-of-another-account": Text(
        "This token belongs to another account.", "このトークンは別のアカウントのものです。"
    ),
}


class GatewayError(Exception):
    """Base of the tree: a stable code, a status, an exit code and safe text."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    title: ClassVar[Text] = Text("The gateway failed", "ゲートウェイで問題が起きました")

    def __init__(
        self,
        internal: str = "",
        *,
        detail: Text | None = None,
        code: str | None = None,
        retry_after: int | None = None,
        extra: Sequence[tuple[str, object]] = (),
    ) -> None:
        """Keep ``internal`` for logs and ``detail`` for the reader.

        A ``code`` of ``SPECIAL_CODES`` brings its own sentence. ``extra`` are further members of the
        problem document (name, JSON value).
        """
        super().__init__(internal or self.title.en)
        self.detail = detail or SPECIAL_CODES.get(code or "", self.title)
        self.reason = code or self.code
        self.retry_after = retry_after
        self.extra = tuple(extra)


class BadInput(GatewayError):
    """The request cannot be parsed."""

    code = "bad-input"
    status = 400
    exit_code = 2
    title = Text("This could not be understood", "内容を読み取れませんでした")


class BadUrl(BadInput):
    """A URL or host name that has no normal form."""

    code = "bad-url"
    title = Text("This is not a usable URL", "このURLは使えません")


class MalformedDocument(BadInput):
    """A body that is not the JSON it claims to be."""

    code = "malformed-document"
    title = Text("This document cannot be taken", "受け付けられない文書です")


class MalformedSignature(BadInput):
    """Signature headers that cannot be parsed."""

    code = "malformed-signature"
    exit_code = 5
    title = Text("The signature headers cannot be parsed", "署名ヘッダーを解析できません")


class NotAuthenticated(GatewayError):
    """No signature or token that holds."""

    code = "not-authenticated"
    status = 401
    exit_code = 5
    title = Text("This request is not authenticated", "このリクエストは認証されていません")


class Refused(GatewayError):
    """Authenticated, and refused by policy or ownership."""

    code = "refused"
    status = 403
    exit_code = 4
    title = Text("Refused", "拒否されました")


class NotFound(GatewayError):
    """There is nothing here, or nothing the asker may see."""

    code = "not-found"
    status = 404
    exit_code = 3
    title = Text("There is nothing here", "見つかりません")


class MethodNotAllowed(GatewayError):
    """The address exists, the method does not."""

    code = "method-not-allowed"
    status = 405
    exit_code = 2
    title = Text("This method is not allowed here", "このメソッドは使えません")


class NotAcceptable(GatewayError):
    """No form of this resource fits the Accept header."""

    code = "not-acceptable"
    status = 406
    exit_code = 2
    title = Text("No acceptable form of this resource exists", "要求された形式では提供できません")


class Conflict(GatewayError):
    """The thing exists already, or changed meanwhile."""

    code = "conflict"
    status = 409
    title = Text("This exists already", "すでに存在します")


class Gone(GatewayError):
    """It was here and was deleted."""

    code = "gone"
    status = 410
    exit_code = 3
    title = Text("This has been deleted", "削除されました")


class TooLarge(GatewayError):
    """A body over its limit."""

    code = "too-large"
    status = 413
    exit_code = 2
    title = Text("The body is too large", "本文が大きすぎます")


class UnsupportedMediaType(GatewayError):
    """A media type or content coding that is not taken here."""

    code = "unsupported-media-type"
    status = 415
    exit_code = 2
    title = Text("This media type is not accepted here", "このメディアタイプは受け付けません")


class WrongHost(GatewayError):
    """The Host header names another site."""

    code = "wrong-host"
    status = 421
    exit_code = 2
    title = Text("This server does not answer for that host", "このホスト名には対応していません")


class HeadersTooLarge(GatewayError):
    """Too many or too long header fields."""

    code = "headers-too-large"
    status = 431
    exit_code = 2
    title = Text("The header fields are too large", "ヘッダーが大きすぎます")


class TooManyRequests(GatewayError):
    """Over a rate limit; ``retry_after`` says for how long."""

    code = "too-many-requests"
    status = 429
    title = Text("Too many requests", "リクエストが多すぎます")


class Unavailable(GatewayError):
    """A passing fault: the same request may succeed later."""

    code = "unavailable"
    status = 503
    exit_code = 6
    title = Text("Not possible right now, please try again", "一時的に利用できません")


class RemoteUnreachable(GatewayError):
    """Somebody else's server could not be reached."""

    code = "remote-unreachable"
    status = 502
    exit_code = 6
    title = Text("The other server could not be reached", "相手のサーバーに接続できません")


class AddressRefused(RemoteUnreachable):
    """The address policy of ``net`` forbids this connection."""

    code = "address-refused"
    title = Text("That address may not be contacted", "接続が許可されていないアドレスです")


class RemoteAnswer(RemoteUnreachable):
    """The other server answered with something unusable; ``remote_status`` is its status."""

    code = "remote-answer"
    title = Text("The other server gave no usable answer", "相手のサーバーから使える応答がありません")

    def __init__(self, internal: str, *, remote_status: int = 0, retry_after: int | None = None) -> None:
        """Keep the remote status (0 when there was none)."""
        super().__init__(internal, retry_after=retry_after)
        self.remote_status = remote_status


class SettingsError(GatewayError):
    """A setting that cannot be used; the text says which and how to mend it."""

    code = "settings"
    exit_code = 2
    title = Text("A setting cannot be used", "設定に問題があります")


class StoreError(GatewayError):
    """The database refused or is of another kind than expected."""

    code = "store"
    status = 503
    title = Text("The database cannot be used", "データベースを利用できません")


class MediaStoreError(StoreError):
    """The store of media files does not answer, refuses, or holds something else than was put there."""

    code = "media-store"
    title = Text("The store of media files cannot be used", "メディアファイルの保管場所を利用できません")


class Contended(StoreError):
    """Another process changed the same rows at the same time; nothing was written, and the same again may succeed."""

    code = "contended"
    title = Text("Somebody else changed this just now", "同時に別の変更がありました")
