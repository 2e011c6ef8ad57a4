"""Idempotency keys: a request repeated with the key of an accepted one gets the same answer, and sends nothing.

The key's row is written in the transaction that accepts the message, before the message: a concurrent request with
the same key waits for that row, and after a crash key and message are either both stored or neither is. A refused
request leaves no row: it can be corrected and sent again with its key.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from billing.models import Account
from mms.api import parameters
from mms.api.accept_alone import accept_alone
from mms.api.answers import Fields
from mms.api.errors import Refusal
from mms.api.request_tree import Node, text_node
from mms.models import FirstAnswer

# Returns no row if another request holds the key. Reuses an expired row that is not swept yet.
CLAIM: Final = """
INSERT INTO mms_firstanswer AS existing (account_id, key, fingerprint, answer, created_at)
VALUES (%(account)s, %(key)s, %(fingerprint)s, '', %(now)s)
ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at
WHERE existing.created_at <= %(expired)s
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """The idempotency key that identifies a request of an account, and a fingerprint of its parameters.

    `key_name` is the name of the key parameter in the dialect of the request.
    """

    key_name: str
    account: int
    key: str
    fingerprint: str


def identify(request: Node, account: Account) -> RequestIdentity | None:
    """Return the identity of the request, or None if it has no idempotency-key. Raises Refusal."""
    key = parameters.short_text(request, "idempotency_key", FirstAnswer._meta.get_field("key").max_length or 0)
    if not key:
        return None
    return RequestIdentity(request.name_of("idempotency_key"), account.pk, key, fingerprint(request))


def fingerprint(request: Node) -> str:
    """Return a hash of the parameters that does not depend on their order or on the api-key."""
    ignored = {id(node) for name in ("api_key", "idempotency_key") for node in request.all(name)}
    parameters = [_canonical(node) for node in request.children if id(node) not in ignored]
    return hashlib.sha256(json.dumps(_ordered(parameters)).encode()).hexdigest()


def _canonical(node: Node) -> list[Any]:
    return [node.name, node.text, _ordered([_canonical(child) for child in node.children])]


def _ordered(parameters: list[list[Any]]) -> list[list[Any]]:
    """Sort by name; repeated parameters keep their order, which matters for slides."""
    return sorted(parameters, key=lambda parameter: str(parameter[0]))


def stored_answer(identity: RequestIdentity | None) -> Fields | None:
    """Return the answer to the first request with this key, or None.

    Raises Refusal if that request had other parameters.
    """
    if identity is None:
        return None
    oldest = timezone.now() - FirstAnswer.KEPT
    first = FirstAnswer.objects.filter(account=identity.account, key=identity.key, created_at__gt=oldest).first()
    if first is None:
        return None
    if first.fingerprint != identity.fingerprint:
        used = f"{identity.key_name} was used for a different request: {identity.key[:40]}"
        raise Refusal("E100", f"{used}; use a new key")
    answer: Fields = json.loads(first.answer)
    return answer


def answer_once(identity: RequestIdentity | None, account: Account, accept: Callable[[], Fields]) -> Fields:
    """Return the answer of `accept`, or the stored answer to the first request with the key. Raises Refusal.

    Among concurrent requests with one key, `accept` is called only for the first, and for the next one if it refuses.
    It must store the message in the transaction in which it is called.
    """
    if identity is None:
        return accept_alone(account, accept)
    while True:
        answer = accept_alone(account, lambda: _accept(identity, accept, timezone.now())) or stored_answer(identity)
        if answer is not None:
            return answer


def _accept(identity: RequestIdentity, accept: Callable[[], Fields], now: datetime) -> Fields | None:
    """Return the answer of `accept`, stored with the key, or None if another request with it committed first."""
    row = _claim(identity, now)
    if row is None:
        return None
    answer = accept()
    FirstAnswer.objects.filter(pk=row).update(answer=json.dumps(answer))
    return answer


def _claim(identity: RequestIdentity, now: datetime) -> int | None:
    """Lock the key's row until the transaction ends and return its primary key; wait if a request holds the row."""
    values: dict[str, Any] = {
        "account": identity.account,
        "key": identity.key,
        "fingerprint": identity.fingerprint,
        "now": now,
        "expired": now - FirstAnswer.KEPT,
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, values)
        row = cursor.fetchone()
    return int(row[0]) if row else None


def with_header(request: Node, header: str) -> Node:
    """Return the request with the key in the header as its idempotency-key. Raises Refusal if the two differ."""
    key, name = header.strip(), request.name_of("idempotency_key")
    given = {node.text for node in request.all("idempotency_key")}
    if not key or key in given:
        return request
    if given:
        raise Refusal("E100", f"{name} and the header Idempotency-Key differ; send only one of them")
    return replace(request, children=(*request.children, text_node(request.dialect, name, key)))
