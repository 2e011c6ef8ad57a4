"""A migration whose index build was cancelled can be repeated."""

import pytest
from django.core.management import call_command
from django.db import connection

LEFT = (
    "CREATE INDEX message_by_client_reference ON mms_message (id)",
    "ALTER TABLE mms_discovery ADD COLUMN message bigint",
    "CREATE INDEX postback_oldest_due ON mms_postback (id)",
    "ALTER TABLE mms_attempt ADD COLUMN http_status smallint",
    "CREATE INDEX attempt_refused ON mms_attempt (id)",
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN"
        " ('message_by_client_reference'::regclass, 'postback_oldest_due'::regclass, 'attempt_refused'::regclass)"
    ),
)
DEFINITIONS = """
SELECT indexname, indexdef, indisvalid FROM pg_indexes JOIN pg_index ON indexrelid = indexname::regclass
WHERE indexname IN ('message_by_client_reference', 'postback_oldest_due', 'attempt_refused') ORDER BY indexname
"""


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_migration_repeats_after_a_cancelled_index_build() -> None:
    with connection.cursor() as cursor:
        cursor.execute(DEFINITIONS)
        built = cursor.fetchall()
        call_command("migrate", "mms", "0008", verbosity=0)
        for statement in LEFT:
            cursor.execute(statement)
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(DEFINITIONS)
        assert (cursor.fetchall(), len(built)) == (built, 3)
