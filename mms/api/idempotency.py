"""Idempotency keys: a request that comes again under the key of an accepted one gets the same answer and sends nothing.

The key's row is written in the transaction that accepts the message, before the message: a request that comes at the
same moment waits for that row, and whatever dies, key and message are both there or neither. A refused request leaves
no row: it sent nothing, and may be mended and come again under its key.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from billing.models import Account
from mms.api import fields
from mms.api.answers import Fields
from mms.api.errors import Refusal
from mms.api.nodes import Node, leaf
from mms.models import FirstAnswer

# Nothing is returned where another request holds the key. One that is over but not swept yet is taken over.
CLAIM: Final = """
INSERT INTO mms_firstanswer AS held (account_id, key, fingerprint, answer, created_at)
VALUES (%(account)s, %(key)s, %(fingerprint)s, '', %(now)s)
ON CONFLICT (account_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at
WHERE held.created_at <= %(over)s
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells a request from others: its account's key for it, and what it asks for.

    `called` is the key's name in the dialect of the request.
    """

    called: str
    account: int
    key: str
    fingerprint: str


def mark(request: Node, account: Account) -> Mark | None:
    """The request's mark, or None where it has no idempotency-key."""
    key = fields.short_text(request, "idempotency_key", FirstAnswer._meta.get_field("key").max_length or 0)
    return Mark(request.called("idempotency_key"), account.pk, key, fingerprint(request)) if key else None


def fingerprint(request: Node) -> str:
    """The same for all requests with the same parameters, in whatever order and under whichever api-key."""
    ignored = {id(node) for name in ("api_key", "idempotency_key") for node in request.all(name)}
    parameters = [_canonical(node) for node in request.children if id(node) not in ignored]
    return hashlib.sha256(json.dumps(_ordered(parameters)).encode()).hexdigest()


def _canonical(node: Node) -> list[Any]:
    return [node.wire, node.text, _ordered([_canonical(child) for child in node.children])]


def _ordered(parameters: list[list[Any]]) -> list[list[Any]]:
    """By name; those of one name stay in their order, which means something for slides."""
    return sorted(parameters, key=lambda parameter: str(parameter[0]))


def first_answer(mark: Mark | None) -> Fields | None:
    """The answer to the first request under this key, if there was one.

    Raises Refusal where that was another request.
    """
    if mark is None:
        return None
    young = timezone.now() - FirstAnswer.KEPT
    first = FirstAnswer.objects.filter(account=mark.account, key=mark.key, created_at__gt=young).first()
    if first is None:
        return None
    if first.fingerprint != mark.fingerprint:
        used = f"{mark.called} was used for another request: {mark.key[:40]}"
        raise Refusal("E100", f"{used}; give this one a key of its own")
    answer: Fields = json.loads(first.answer)
    return answer


def once(mark: Mark | None, accept: Callable[[], Fields]) -> Fields:
    """What `accept` answers, which stores what it accepts in this transaction; or the answer to the first request.

    Of several requests under one key, also at the same moment, it is called for one alone, unless it refuses that.
    """
    if mark is None:
        return accept()
    while True:
        answer = _claimed(mark, accept, timezone.now()) or first_answer(mark)
        if answer is not None:
            return answer


def _claimed(mark: Mark, accept: Callable[[], Fields], now: datetime) -> Fields | None:
    """The answer of `accept`, stored under the key; None where another request committed under it first."""
    with transaction.atomic():
        row = _claim(mark, now)
        if row is None:
            return None
        answer = accept()
        FirstAnswer.objects.filter(pk=row).update(answer=json.dumps(answer))
    return answer


def _claim(mark: Mark, now: datetime) -> int | None:
    """The key of the row that is ours until the transaction ends. Waits for a request that holds it."""
    values: dict[str, Any] = {
        "account": mark.account,
        "key": mark.key,
        "fingerprint": mark.fingerprint,
        "now": now,
        "over": now - FirstAnswer.KEPT,
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, values)
        row = cursor.fetchone()
    return int(row[0]) if row else None


def with_header(request: Node, header: str) -> Node:
    """The request with its idempotency-key from the header Idempotency-Key. Raises Refusal where the two differ."""
    key, name = header.strip(), request.called("idempotency_key")
    said = {node.text for node in request.all("idempotency_key")}
    if not key or key in said:
        return request
    if said:
        raise Refusal("E100", f"{name} and the header Idempotency-Key differ; give one of them")
    return replace(request, children=(*request.children, leaf(request.dialect, name, key)))
