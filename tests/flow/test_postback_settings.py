"""Settings of the account that apply to its postbacks: dialect, URLs, signing secrets."""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from billing import secret_rotation
from billing.models import Account
from mms.models import Message, Postback
from mms.postbacks import notifier
from tests.scripted import ReceivedRequest, Response, ScriptedServer, serving
from tests.wire import RunWorkers

Send = Callable[..., Message]
SendReport = Callable[..., int]


@pytest.fixture
def elsewhere() -> Iterator[ScriptedServer]:
    """A second server of the customer."""
    with serving(Response()) as scripted:
        yield scripted


def settings(records: SimpleNamespace, **values: str) -> None:
    Account.objects.filter(pk=records.account.pk).update(**values)


def later(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def signature(sent: ReceivedRequest, secret: str) -> str:
    signed = sent.headers["x-mms-timestamp"].encode() + b"." + sent.body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("dialect", "content_type", "code"),
    [
        ("sinch", "text/xml; charset=utf-8", "<code>E102</code>"),
        ("skycore", "text/xml; charset=utf-8", "<CODE>N102</CODE>"),
        ("json", "application/json", '"code":"N103"'),
    ],
)
def test_expired_message_is_reported_in_the_account_dialect(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, customer: ScriptedServer,
    dialect: str, content_type: str, code: str,
) -> None:  # fmt: skip
    settings(records, postback_dialect=dialect)
    send()
    run_workers()
    send_report("M1", "Expired")
    run_workers()
    assert {sent.headers["content-type"] for sent in customer.received} == {content_type}
    assert code in customer.received[1].body.decode()


def test_retry_keeps_its_bytes_after_a_change_of_dialect(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport, customer: ScriptedServer
) -> None:
    customer.answer_next(Response(status=500))
    send()
    run_workers()
    settings(records, postback_dialect="json")
    run_workers(later(minutes=5.1))
    first, second = customer.received
    assert first.body == second.body
    assert first.headers["content-type"] == second.headers["content-type"]
    send_report("M1", "Retrieved")
    run_workers(later(minutes=6))
    assert customer.received[2].body.startswith(b'{"origin":"MMS_MT","code":"N102"')


def test_corrected_url_applies_to_waiting_postbacks(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, customer: ScriptedServer, elsewhere: ScriptedServer
) -> None:
    customer.answer_next(Response(status=404))
    message = send()
    run_workers()
    settings(records, postback_url=f"{elsewhere.url}/right")
    run_workers(later(minutes=5.1))
    assert [sent.path for sent in elsewhere.received] == ["/right"]
    attempts = message.postbacks.get().attempts.values_list("url", "http_status")
    assert list(attempts) == [(f"{customer.url}/postbacks", 404), (f"{elsewhere.url}/right", 200)]


def test_postback_without_url_is_given_up_without_e999(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    customer.answer_next(Response(status=500))
    message = send()
    run_workers()
    settings(records, postback_url="")
    for tries in range(1, 6):
        run_workers(later(minutes=5.1 * tries))
    assert len(customer.received) == 1
    postback = message.postbacks.get()
    assert (postback.status, postback.tries) == ("given-up", 6)
    assert "URL" in postback.attempts.latest("pk").error.upper()


@pytest.mark.parametrize(("mo_url", "path"), [("/mo", "/mo"), ("", "/postbacks")])
def test_mobile_originated_message_uses_the_mo_url(
    records: SimpleNamespace, customer: ScriptedServer, mo_url: str, path: str
) -> None:
    settings(records, mo_url=mo_url and customer.url + mo_url)
    now = datetime.now(UTC)
    fields = {"origin": "MMS_MO", "code": "N401", "content": ["http://mms.example/1.jpg"]}
    Postback.objects.create(account=records.account, code="N401", fields=fields, due_at=now, created_at=now)
    notifier.run()
    assert [sent.path for sent in customer.received] == [path]
    assert customer.received[0].body.endswith(
        b"<code>N401</code><content><file>http://mms.example/1.jpg</file></content></postback>"
    )


def test_both_secrets_sign_during_rotation(
    records: SimpleNamespace, send: Send, run_workers: RunWorkers, customer: ScriptedServer
) -> None:
    old = records.account.signing_secret
    assert secret_rotation.rotate(records.account)
    records.account.refresh_from_db()
    new = records.account.signing_secret
    assert new != old
    send()
    run_workers()
    assert secret_rotation.drop_previous(records.account)
    send()
    run_workers()
    during, after = customer.received
    assert during.headers["x-mms-signature"] == f"{signature(during, new)},{signature(during, old)}"
    assert after.headers["x-mms-signature"] == signature(after, new)


def test_secret_is_rotated_once_until_the_old_one_is_dropped(records: SimpleNamespace) -> None:
    old = records.account.signing_secret
    assert secret_rotation.rotate(records.account)
    assert not secret_rotation.rotate(records.account)
    records.account.refresh_from_db()
    assert records.account.signing_secrets[1:] == [old]
    assert secret_rotation.drop_previous(records.account)
    assert not secret_rotation.drop_previous(records.account)
    assert secret_rotation.rotate(records.account)
