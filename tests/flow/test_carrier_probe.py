"""The probe of a paused carrier: which of the due messages it is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from mms.messages import claiming
from mms.models import CarrierFeed, Message

Send = Callable[..., Message]


def test_messages_that_break_connections_block_no_others(records: SimpleNamespace, send: Send) -> None:
    for number in range(40):  # the MMSC breaks the connection on the content of the first 20
        send(to=f"140447900{number:02}")
    others = set(Message.objects.order_by("-due_at").values_list("pk", flat=True)[:20])
    CarrierFeed.objects.create(carrier=records.carrier, failures=3, pauses=1)
    probes, now = set(), datetime.now(UTC) + timedelta(seconds=1)
    for _ in range(20):  # in order of the due times, none of these would be another one
        CarrierFeed.objects.update(paused_until=now)
        probes |= {message.pk for message in claiming.claim_messages(now, 64)[0]}
        now += timedelta(minutes=2)
    assert len(probes) == 20
    assert probes & others
