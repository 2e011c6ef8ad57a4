"""A little of `make fuzz` in each run of the tests, and what it has found."""

import pytest

from mms.mm7.requests import DeliveryReportReq, read_request, write_response
from mms.mm7.soap import REL_6
from tests.fuzz.mutation import Given
from tests.fuzz.run import Crash, given, run
from tests.fuzz.targets import REPORT, TARGETS, Target, read_customer

every_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
INPUTS = 200


@every_target
def test_no_input_is_too_much_for_a_parser(target: Target) -> None:
    figures = run(target, seed=0, inputs=INPUTS)
    assert figures.endings.total() == INPUTS
    assert len(figures.endings) > 1


@every_target
def test_the_same_seed_gives_the_same_inputs(target: Target) -> None:
    first = [given(target, 7, number) for number in range(20)]
    assert first == [given(target, 7, number) for number in range(20)]
    assert first != [given(target, 8, number) for number in range(20)]


def test_a_crash_is_told_with_the_input() -> None:
    def falls(_: Given) -> str:
        raise KeyError("a")

    target = Target("weak", TARGETS[0].corpus, falls)
    with pytest.raises(Crash, match="weak: input 0 of seed 3") as crash:
        run(target, seed=3, inputs=10)
    assert (crash.value.given, type(crash.value.__cause__)) == (given(target, 3, 0), KeyError)


def test_a_parser_that_hangs_is_stopped() -> None:
    def hangs(_: Given) -> str:
        while True:
            pass

    with pytest.raises(Crash) as crash:
        run(Target("slow", TARGETS[0].corpus, hangs), seed=1, inputs=1)
    assert "s of processor" in str(crash.value.__cause__)


# What was found by it, or on the way to it.


@pytest.mark.parametrize("namespace", ["htt7:RSErrorRsp xmlns:mm7=", "http://http://a", "a b", "http://[", "x" * 1000])
def test_a_namespace_that_is_none_is_not_repeated_in_the_answer(namespace: str) -> None:
    body = REPORT.replace(b"%b", b"").replace(
        b"<DeliveryReportReq>", f'<DeliveryReportReq xmlns="{namespace}">'.encode()
    )
    request = read_request("text/xml", body)
    assert request.namespace == REL_6
    assert namespace.encode() not in write_response(request)


@pytest.mark.parametrize("reference", [b"&#xFFFE;", b"&#0;", b"&#8;", b"&#xD800;", b"&#x110000;", b"\xef\xbf\xbe"])
def test_a_character_that_cannot_be_is_dropped_from_a_handset(reference: bytes) -> None:
    capabilities = b"<UACapabilities><UAProf>http://a/b%b</UAProf></UACapabilities>" % reference
    request = read_request("text/xml; charset=utf-8", REPORT.replace(b"%b", capabilities))
    assert isinstance(request, DeliveryReportReq)
    assert request.handset == "http://a/b"


def test_a_name_in_data_that_cannot_be_stored_is_refused() -> None:
    given = Given("json", "application/json", b'{"action": "sendSavedMMS", "data": {"\\u0000": true}}')
    assert read_customer(given) == "refused"
