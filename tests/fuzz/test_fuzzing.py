"""A short run of the fuzzer, and regression tests for its findings."""

import pytest

from mms.mm7.requests import DeliveryReportReq, read_request, write_response
from mms.mm7.soap import REL_6
from tests.fuzz.mutation import FuzzInput
from tests.fuzz.run import Crash, make_input, run
from tests.fuzz.targets import REPORT, TARGETS, Target, read_customer

every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
INPUTS = 200


@every_target
def test_no_input_crashes_a_parser(target: Target) -> None:
    statistics = run(target, seed=0, inputs=INPUTS)
    assert statistics.outcomes.total() == INPUTS
    assert len(statistics.outcomes) > 1


@every_target
def test_same_seed_gives_the_same_inputs(target: Target) -> None:
    first = [make_input(target, 7, number) for number in range(20)]
    assert first == [make_input(target, 7, number) for number in range(20)]
    assert first != [make_input(target, 8, number) for number in range(20)]


def test_crash_is_reported_with_its_input() -> None:
    def crash_on_input(_: FuzzInput) -> str:
        raise KeyError("a")

    target = Target("crashing", TARGETS[0].corpus, crash_on_input)
    with pytest.raises(Crash, match="crashing: input 0 of seed 3") as crash:
        run(target, seed=3, inputs=10)
    assert (crash.value.fuzz_input, type(crash.value.__cause__)) == (make_input(target, 3, 0), KeyError)


def test_hanging_parser_is_stopped() -> None:
    def hang(_: FuzzInput) -> str:
        while True:
            pass

    with pytest.raises(Crash) as crash:
        run(Target("slow", TARGETS[0].corpus, hang), seed=1, inputs=1)
    assert "s of processor" in str(crash.value.__cause__)


# Regression tests for findings of the fuzzer.


@pytest.mark.parametrize("namespace", ["htt7:RSErrorRsp xmlns:mm7=", "http://http://a", "a b", "http://[", "x" * 1000])
def test_invalid_namespace_is_not_echoed_in_the_response(namespace: str) -> None:
    body = REPORT.replace(b"%b", b"").replace(
        b"<DeliveryReportReq>", f'<DeliveryReportReq xmlns="{namespace}">'.encode()
    )
    request = read_request("text/xml", body)
    assert request.namespace == REL_6
    assert namespace.encode() not in write_response(request)


@pytest.mark.parametrize("reference", [b"&#xFFFE;", b"&#0;", b"&#8;", b"&#xD800;", b"&#x110000;", b"\xef\xbf\xbe"])
def test_invalid_character_is_dropped_from_a_handset(reference: bytes) -> None:
    capabilities = b"<UACapabilities><UAProf>http://a/b%b</UAProf></UACapabilities>" % reference
    request = read_request("text/xml; charset=utf-8", REPORT.replace(b"%b", capabilities))
    assert isinstance(request, DeliveryReportReq)
    assert request.handset == "http://a/b"


def test_data_name_that_cannot_be_stored_is_refused() -> None:
    fuzz_input = FuzzInput("json", "application/json", b'{"action": "sendSavedMMS", "data": {"\\u0000": true}}')
    assert read_customer(fuzz_input) == "refused"
