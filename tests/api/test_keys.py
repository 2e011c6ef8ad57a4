"""API keys: shown once when they are issued, stored as hashes, valid until they are revoked."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from base import stale_cache
from billing import keys, ledger
from billing.models import Account, ApiKey, Price
from mms.models import Message
from tests.api.documents import KEY, NUMBER, SAVE, SEND, Elements, failure, request
from tests.wire import SEED

ROOT = Path(__file__).parents[2]
UNKNOWN = failure("E104", "api-key is unknown", NUMBER)


def send(key: str) -> bytes:
    return bytes(Client().post("/ep/v1/", request({**SEND, "api-key": key}), content_type="text/xml").content)


def test_new_key_works_immediately_and_is_not_stored(records: SimpleNamespace) -> None:
    key = keys.issue(records.account, label="shop")
    assert b"Success" in send(key)
    row = ApiKey.objects.get(label="shop")
    assert (len(key), row.prefix, str(row)) == (32, key[:6], f"{key[:6]}…")
    assert key not in str(ApiKey.objects.filter(pk=row.pk).values())
    assert key != keys.issue(records.account)


def test_revoked_key_is_unknown_and_others_stay_valid(records: SimpleNamespace) -> None:
    key = keys.issue(records.account)
    ApiKey.objects.filter(digest=keys.digest(key)).update(revoked_at=timezone.now())
    assert send(key) == UNKNOWN
    assert b"Success" in send(KEY)


@pytest.mark.parametrize("key", [KEY.upper(), KEY[:-1], KEY + "x", KEY[:6], "'; --", "x" * 100_000])
def test_similar_keys_are_unknown(records: SimpleNamespace, key: str) -> None:
    assert send(key) == UNKNOWN


def test_stored_hash_is_not_a_key(records: SimpleNamespace) -> None:
    assert send(keys.digest(KEY)) == UNKNOWN


def test_hash_depends_on_the_secret_of_api_keys(records: SimpleNamespace, settings: Settings) -> None:
    settings.SECRET_KEY = "another"
    assert b"Success" in send(KEY)
    settings.API_KEY_SECRET = "another"
    stale_cache.clear()
    assert send(KEY) == UNKNOWN


def test_key_under_a_fallback_is_rehashed_at_its_next_use(records: SimpleNamespace, settings: Settings) -> None:
    unused = keys.issue(Account.objects.create(name="Another"))
    digests = dict(ApiKey.objects.values_list("prefix", "digest"))
    settings.API_KEY_SECRET, settings.API_KEY_SECRET_FALLBACKS = "new", ["older", settings.API_KEY_SECRET]
    stale_cache.clear()
    assert b"Success" in send(KEY)
    assert dict(ApiKey.objects.values_list("prefix", "digest")) == {**digests, KEY[:6]: keys.digest(KEY)}
    settings.API_KEY_SECRET_FALLBACKS = []
    stale_cache.clear()
    assert b"Success" in send(KEY)
    assert send(unused) == UNKNOWN


@pytest.mark.parametrize("action", ["loginUser", "getMMSTemplates"])
def test_key_is_rehashed_by_actions_that_accept_nothing(
    records: SimpleNamespace, settings: Settings, action: str
) -> None:
    ApiKey.objects.update(last_used_at=timezone.now())
    settings.API_KEY_SECRET, settings.API_KEY_SECRET_FALLBACKS = "new", [settings.API_KEY_SECRET]
    Client().post("/ep/v1/", request({"action": action, "api-key": KEY}), content_type="text/xml")
    assert ApiKey.objects.get().digest == keys.digest(KEY)


def test_key_stored_under_two_secrets_stays_valid(records: SimpleNamespace, settings: Settings) -> None:
    settings.API_KEY_SECRET, settings.API_KEY_SECRET_FALLBACKS = "new", [settings.API_KEY_SECRET]
    assert b"Success" in send(KEY)
    old = settings.API_KEY_SECRET
    settings.API_KEY_SECRET, settings.API_KEY_SECRET_FALLBACKS = "newer", []
    keys.issue(records.account, KEY, "again")
    settings.API_KEY_SECRET_FALLBACKS = [old]
    stale_cache.clear()
    ApiKey.objects.filter(label="again").update(revoked_at=timezone.now())
    assert b"Success" in send(KEY)
    assert (ApiKey.objects.count(), ApiKey.objects.exclude(digest=keys.digest(KEY)).count()) == (2, 1)


ISSUED, NEW, OLD = "the secret of the site", "a secret for API keys", "the former secret"


@pytest.mark.parametrize(
    ("variables", "secret", "fallbacks"),
    [
        ({}, ISSUED, []),
        ({"API_KEY_SECRET": ""}, ISSUED, []),
        ({"API_KEY_SECRET": NEW}, NEW, [ISSUED]),
        ({"SECRET_KEY_FALLBACKS": OLD}, ISSUED, [OLD]),
        ({"API_KEY_SECRET": NEW, "API_KEY_SECRET_FALLBACKS": f"{OLD}, {NEW}"}, NEW, [OLD, ISSUED]),
    ],
)
def test_keys_of_the_secret_key_stay_valid(variables: dict[str, str], secret: str, fallbacks: list[str]) -> None:
    script = "import json; from config.settings import *; print(json.dumps([API_KEY_SECRET, API_KEY_SECRET_FALLBACKS]))"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "SECRET_KEY": ISSUED, **variables}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == [secret, fallbacks]


def test_sessions_outlive_a_rotation_with_fallback(db: None, settings: Settings) -> None:
    page, client = reverse("admin:index"), Client()
    client.force_login(User.objects.create_superuser("olga"))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert client.get(page).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(page).status_code == 200  # the session is now signed by the new secret
    settings.SECRET_KEY = "newest"
    assert client.get(page).status_code == 302


def test_key_gives_access_to_its_own_account_only(records: SimpleNamespace) -> None:
    key = keys.issue(Account.objects.create(name="Another"))
    assert send(key) == failure("E111", "from is not one of the account's sender addresses: 28444", NUMBER)


def test_accept_takes_ten_queries(records: SimpleNamespace, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    ApiKey.objects.update(last_used_at=timezone.now())
    Price.objects.create(message_class="mms", amount=1)
    ledger.top_up(records.account, 2, "", timezone.now())
    Client().post("/ep/v1/", SEED.encode(), content_type="text/xml")
    # BEGIN; limit of the waits for locks, template locked, key, block lists; primary key of the message, balance with
    # its ledger line, message, event; COMMIT. A batch of 64 messages takes as many.
    with django_assert_num_queries(10):
        Client().post("/ep/v1/", SEED.encode(), content_type="text/xml")
    assert Message.objects.count() == 2


RECORD_WRITERS = """
CREATE TABLE written (transaction xid8);
CREATE FUNCTION record_writer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO written VALUES (pg_current_xact_id()); RETURN NULL; END $$;
DO $$ DECLARE watched regclass; BEGIN
    FOR watched IN SELECT format('%I', tablename)::regclass FROM pg_tables
    WHERE schemaname = 'public' AND tablename <> 'written' LOOP
        EXECUTE format('CREATE TRIGGER record_writer AFTER INSERT OR UPDATE OR DELETE ON %s
            FOR EACH ROW EXECUTE FUNCTION record_writer()', watched);
    END LOOP;
END $$;
"""


@pytest.fixture
def writing_transactions(transactional_db: None) -> Iterator[Callable[[], int]]:
    """Return a function that counts the committed transactions that wrote a row of any table."""

    def count() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT transaction) FROM written")
            return int(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        cursor.execute(RECORD_WRITERS)
        yield count
        cursor.execute("DROP FUNCTION record_writer CASCADE; DROP TABLE written")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize(
    "elements",
    [SEND, {**SEND, "idempotency-key": "order 7"}, {**SAVE, **SEND, "mms-id": None, "action": "sendMMS"}],
    ids=["plain", "with an idempotency key", "sendMMS"],
)
def test_accept_with_first_key_use_is_one_transaction(
    records: SimpleNamespace, elements: Elements, writing_transactions: Callable[[], int]
) -> None:
    Price.objects.create(message_class="mms", amount=1)
    ledger.top_up(records.account, 1, "", timezone.now())
    before = writing_transactions()
    answer = Client().post("/ep/v1/", request(elements), content_type="text/xml").content
    assert b"<status>Success</status>" in answer
    assert writing_transactions() == before + 1
    assert (Message.objects.count(), ApiKey.objects.filter(last_used_at=None).count()) == (1, 0)
