"""Content that several accounts store at the same time, while a row of one of them is held."""

import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from types import SimpleNamespace

import pytest
from PIL import Image

from base import sql
from mms.models import Medium, Message
from tests.api.documents import KEY, SAVE, file, image, request
from tests.api.wsgi import call_wsgi
from tests.processes import rows
from tests.processes.platform_under_test import eventually
from tests.scripted import serving

PROMPT = 3.0  # seconds; less than the longest wait for a row
TIMEOUT = 30  # seconds


def new_picture() -> bytes:
    """Return a picture that no account has stored."""
    picture = BytesIO()
    Image.new("RGB", (33, 31), "red").save(picture, "PNG")
    return picture.getvalue()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("key", [{}, {"idempotency-key": "order 7"}])
def test_held_balance_delays_no_other_account_with_its_picture(records: SimpleNamespace, key: dict[str, str]) -> None:
    rows.create_other_customer(records)
    before = Medium.objects.count()
    send = {**SAVE, "action": "sendMMS", "to": "14044790000", "from": "28444", "service-id": "12345", **key}
    with ThreadPoolExecutor(1) as pool, serving(file(new_picture(), "image/png")) as server:
        send["slide"] = image(server.url)
        with rows.held_balance(records.account):
            waiting = pool.submit(call_wsgi, request({**send, "api-key": KEY}))
            eventually(lambda: sql.fetch_rows("SELECT 1 FROM pg_locks WHERE NOT granted", []))
            begin = time.monotonic()
            answer = call_wsgi(request({**send, "api-key": rows.KEY}))
            seconds = time.monotonic() - begin
        assert b"Success" in answer, answer
        assert b"Success" in waiting.result(TIMEOUT)
    assert seconds < PROMPT
    assert (Medium.objects.count(), Message.objects.count()) == (before + 1, 2)
