"""A migration that changes the type of columns while the processes of the platform serve."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

from django.db import connection

from mms.models import Message
from tests.processes.messages import DDM, all_delivered, check_consistency, number, send, statuses
from tests.processes.platform_under_test import Platform, eventually

# Columns that prepared statements of each process return: whole rows of messages, discoveries, carriers, postbacks and
# accounts, the status of locked rows, the handsets' identities.
WIDENED = {
    "mms_message": ("sender", "status", "from_mask"),
    "mms_discovery": ("sender", "status"),
    "mms_carrier": ("vaspid",),
    "mms_postback": ("code",),
    "mms_report": ("mmsc_id",),
    "billing_account": ("status", "currency"),
    "billing_blockednumber": ("number",),
    "billing_ledgerentry": ("kind",),
    "handsets_handset": ("identity",),
}
MESSAGES = 12


@contextmanager
def types_restored() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = ANY(%s::regclass[]) AND attnum > 0",
            [list(WIDENED)],
        )
        types = {(table, column): former for table, column, former in cursor.fetchall()}
    try:
        yield
    finally:
        change({(table, name): types[table, name] for table, names in WIDENED.items() for name in names})


def change(types: dict[tuple[str, str], str]) -> None:
    with connection.cursor() as cursor:
        for (table, column), type_ in types.items():
            cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_}")


def send_all(network: Platform) -> None:
    with ThreadPoolExecutor(MESSAGES) as customers:
        for sent in [customers.submit(send, network, number(), ddm) for _ in range(MESSAGES // 2) for ddm in ("", DDM)]:
            sent.result()


def test_widened_columns_break_no_running_process(records: SimpleNamespace, network: Platform) -> None:
    web, worker = network.web(), network.worker("flow,postbacks", children=2)
    network.beat()
    send_all(network)  # every process prepares its statements
    eventually(all_delivered)
    with types_restored():
        change({(table, name): "text" for table, names in WIDENED.items() for name in names})
        for _ in range(3):
            send_all(network)
        eventually(all_delivered)
    assert statuses() == {"delivered": 4 * MESSAGES} == {"delivered": Message.objects.count()}
    check_consistency(network)
    for process in (web, worker):
        log = process.log.read_text()
        assert "cached plan must not change result type" not in log
        assert "prepared statements are outdated" in log
        assert "Traceback" not in log
        assert "could not be stored" not in log
