"""Behaviours of the simulated MMSC: how it answers a submit, and which delivery reports it sends."""

from dataclasses import dataclass, replace
from enum import StrEnum

ALWAYS = 1_000_000
SUCCESS = frozenset({1000, 1100})


class TransportFailure(StrEnum):
    """A failure below the SOAP layer."""

    RESET_BEFORE_READ = "connection reset before the request was read"
    RESET_AFTER_ACCEPT = "connection reset after the message was accepted"
    HTTP_500 = "HTTP 500 without SOAP"
    HTTP_503 = "HTTP 503"
    GARBAGE = "HTTP 200 with a web page instead of SOAP"
    HANG = "no response"


# The MMSC has accepted the message, although the platform gets no SubmitRsp.
ACCEPTED_WITHOUT_RESPONSE = frozenset({TransportFailure.RESET_AFTER_ACCEPT, TransportFailure.GARBAGE})


class ReportFormat(StrEnum):
    """Format in which a carrier writes its delivery reports."""

    STANDARD = "according to the schema"
    SWAPPED = "Sender and Recipient swapped"
    LOOSE = "lower case status, no Date, a number with plus sign and /TYPE=PLMN, no namespace on the children"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one submit: a status code (in a SubmitRsp or a Fault), or a transport failure.

    It is sent `delay` seconds after the request was read and processed.
    """

    status_code: int = 1000
    fault: bool = False
    failure: TransportFailure | None = None
    delay: float = 0.0

    @property
    def is_accepted(self) -> bool:
        """Whether the MMSC has accepted the message."""
        return self.failure in ACCEPTED_WITHOUT_RESPONSE if self.failure else self.status_code in SUCCESS


@dataclass(frozen=True, slots=True)
class Handling:
    """Handling of one message. The first `attempts` submits of a transaction get `answer`, later ones succeed.

    `reports` holds the MMStatus values of the reports, in order. The first report is sent after `delay` seconds,
    on release if the message is `held`, or before the SubmitRsp if `early`.
    """

    answer: Answer = Answer()
    attempts: int = ALWAYS
    reports: tuple[str, ...] = ("Retrieved",)
    delay: float = 0.1
    held: bool = False
    early: bool = False
    names_handset: bool = True
    report_format: ReportFormat = ReportFormat.STANDARD

    def answer_to(self, attempt: int) -> Answer:
        """Return the answer to the given submit of one transaction, counted from 1."""
        return self.answer if attempt <= self.attempts else Answer()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Handling of the discovery messages (text only) and the content (anything else) sent to a number."""

    description: str
    ddm: Handling = Handling()
    content: Handling = Handling()


def same_for_all(description: str, handling: Handling) -> Behaviour:
    """Return a behaviour that handles discovery messages and content alike."""
    return Behaviour(description, ddm=handling, content=handling)


@dataclass(frozen=True, slots=True)
class Mode:
    """Operating mode of the whole MMSC, regardless of the number: failures, late answers, duplicate reports."""

    failure: TransportFailure | None = None
    delay: float = 0.0
    duplicates_reports: bool = False

    def modify_answer(self, answer: Answer) -> Answer:
        return Answer(failure=self.failure) if self.failure else replace(answer, delay=self.delay)

    def modify_handling(self, handling: Handling) -> Handling:
        if not self.duplicates_reports:
            return handling
        return replace(handling, reports=tuple(status for status in handling.reports for _ in range(2)))


MODES = {
    "normal": Mode(),
    "hang": Mode(TransportFailure.HANG),
    "reset-before-read": Mode(TransportFailure.RESET_BEFORE_READ),
    "reset-after-accept": Mode(TransportFailure.RESET_AFTER_ACCEPT),
    "slow": Mode(delay=2.0),
    "timeout": Mode(delay=8.0),
    "duplicate-reports": Mode(duplicates_reports=True),
}
