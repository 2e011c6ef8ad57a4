"""Shared discoveries: several messages to one number wait for one DDM, each until its own deadline."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from mms.messages import attempts, claiming, transitions
from mms.messages.attempts import CompletedSubmit
from mms.models import Discovery, Message
from mms.protocol.submit import Outcome, SubmitResult
from tests.scripted import ScriptedServer
from tests.wire import IPHONE, RunWorkers, postback_codes

Send = Callable[..., Message]
SendReport = Callable[..., int]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"
FORCED = DDM + "<ddm-force>true</ddm-force>"
SAMSUNG = "http://wap.samsungmobile.com/uaprof/SM-A300FU.xml"


def later(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def is_ddm(mmsc: ScriptedServer, index: int) -> bool:
    return b"What is your telephone?" in mmsc.received[index].body


def test_two_messages_to_one_number_share_one_ddm(
    send: Send, run_workers: RunWorkers, send_report: SendReport, mmsc: ScriptedServer
) -> None:
    first = send(DDM)
    run_workers()
    second = send(DDM)
    run_workers()
    assert len(mmsc.received) == 1
    assert second.postbacks.get().fields["status-details"] == "shares the DDM of an earlier message"
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    assert postback_codes(first) == postback_codes(second) == ["N501", "N502", "N101"]
    assert len(mmsc.received) == 3
    assert Discovery.objects.get().status == "delivered"


def test_two_messages_of_one_claim_share_one_ddm(send: Send, run_workers: RunWorkers, mmsc: ScriptedServer) -> None:
    first, second = send(DDM), send(DDM)
    run_workers()
    assert len(mmsc.received) == 1
    assert [m.postbacks.get().fields.get("status-details") for m in (first, second)] == [
        None,
        "shares the DDM of an earlier message",
    ]


def test_messages_sharing_a_ddm_keep_their_own_deadlines(
    send: Send, run_workers: RunWorkers, send_report: SendReport
) -> None:
    short = send(DDM + "<ddm-message-timeout>2</ddm-message-timeout>")
    run_workers()
    long = send(DDM + "<ddm-message-timeout>60</ddm-message-timeout>")
    run_workers()
    run_workers(later(3))
    short.refresh_from_db()
    long.refresh_from_db()
    assert (short.status, long.status) == ("submitted", "discovering")
    send_report("M1", "Retrieved", IPHONE)
    run_workers()
    long.refresh_from_db()
    assert (long.status, long.handset.identity if long.handset else None) == ("submitted", IPHONE)


@pytest.mark.parametrize("outcome", [Outcome.SUBMITTED, Outcome.IN_DOUBT])
def test_message_joining_an_in_flight_ddm_extends_the_discovery(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer, outcome: Outcome
) -> None:
    send(DDM + "<ddm-message-timeout>2</ddm-message-timeout>")
    claiming.claim_messages(datetime.now(UTC), 10)
    [ddm], _ = claiming.claim_discoveries(datetime.now(UTC), 10)
    [(_, attempt)] = attempts.start([(ddm, 1000)], datetime.now(UTC))
    long = send(DDM + "<ddm-message-timeout>60</ddm-message-timeout>")
    claiming.claim_messages(datetime.now(UTC), 10)
    completed = CompletedSubmit(ddm, attempt, SubmitResult(outcome, None, "", "M0"))
    transitions.record_ddm_results([completed], datetime.now(UTC))
    run_workers(later(3))
    send(DDM + "<ddm-message-timeout>5</ddm-message-timeout>")
    run_workers(later(4))
    long.refresh_from_db()
    found = Discovery.objects.get()
    assert (found.status, found.due_at, long.status) == (outcome, long.due_at, "discovering")


def test_message_joining_while_a_ddm_is_refused_gets_it(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    """The DDM is claimed after its deadline; before it is refused, another message joins the discovery."""
    send(DDM)
    claiming.claim_messages(datetime.now(UTC), 10)
    late = send(DDM)
    joined: list[str] = []

    def join(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if not joined and "billing_blockednumber" in sql:
            joined.append(sql)
            claiming.claim_messages(later(5.1), 10)
        return execute(sql, *rest)

    with connection.execute_wrapper(join):
        claimed, _ = claiming.claim_discoveries(later(5.1), 10)
    late.refresh_from_db()
    assert [found.pk for found in claimed] == [late.discovery_id]
    assert (late.status, Discovery.objects.get().status) == ("discovering", "sending")


def test_number_gets_a_new_ddm_after_the_discovery_ended(
    send: Send, run_workers: RunWorkers, mmsc: ScriptedServer
) -> None:
    send(DDM)
    run_workers()
    run_workers(later(5.1))
    send(DDM)
    run_workers(later(6))
    assert [is_ddm(mmsc, index) for index in range(len(mmsc.received))] == [True, False, True]
