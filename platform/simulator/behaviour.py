"""What becomes of a message: how its submit is answered, and which reports follow."""

from dataclasses import dataclass, replace
from enum import StrEnum

ALWAYS = 1_000_000
SUCCESS = frozenset({1000, 1100})


class Trouble(StrEnum):
    """What goes wrong beneath SOAP."""

    RESET_UNREAD = "connection reset before the request was read"
    RESET_TAKEN = "connection reset after the request was taken"
    HTTP_500 = "HTTP 500 without SOAP"
    HTTP_503 = "HTTP 503"
    GARBAGE = "HTTP 200 with a web page instead of SOAP"
    HANG = "no answer"


# The MMSC has the message although its answer does not say so.
TAKEN_IN_SILENCE = frozenset({Trouble.RESET_TAKEN, Trouble.GARBAGE})


class Shape(StrEnum):
    """How a carrier writes its delivery reports."""

    PLAIN = "as the schema has it"
    SWAPPED = "Sender and Recipient exchanged"
    LOOSE = "lower case status, no Date, a number with plus sign and /TYPE=PLMN, no namespace on the children"


@dataclass(frozen=True, slots=True)
class Answer:
    """How one try to submit is answered: by a status code (in a SubmitRsp or a Fault), or by trouble.

    An answer goes out `wait` seconds after the request was read, and acted on.
    """

    status_code: int = 1000
    fault: bool = False
    trouble: Trouble | None = None
    wait: float = 0.0

    @property
    def takes(self) -> bool:
        """Whether the MMSC has the message after this answer."""
        return self.trouble in TAKEN_IN_SILENCE if self.trouble else self.status_code in SUCCESS


@dataclass(frozen=True, slots=True)
class Fate:
    """The course of one message. The first `tries` tries of a transaction get `answer`, later ones succeed.

    `reports` are the MMStatus values of the reports in their order, the first after `delay` seconds or, where
    `held`, when it is released; `early` means before the answer goes out.
    """

    answer: Answer = Answer()
    tries: int = ALWAYS
    reports: tuple[str, ...] = ("Retrieved",)
    delay: float = 0.1
    held: bool = False
    early: bool = False
    names_handset: bool = True
    shape: Shape = Shape.PLAIN

    def answer_to(self, attempt: int) -> Answer:
        """The answer to the given try, counted from 1, of one transaction."""
        return self.answer if attempt <= self.tries else Answer()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a number does with a discovery message (text only) and with content (anything else)."""

    story: str
    ddm: Fate = Fate()
    content: Fate = Fate()


def both(story: str, fate: Fate) -> Behaviour:
    """A number that does the same with either kind of message."""
    return Behaviour(story, ddm=fate, content=fate)


@dataclass(frozen=True, slots=True)
class Mood:
    """What befalls every message for a while, whatever its number: trouble, late answers, reports that come twice."""

    trouble: Trouble | None = None
    wait: float = 0.0
    doubles: bool = False

    def answer(self, answer: Answer) -> Answer:
        return Answer(trouble=self.trouble) if self.trouble else replace(answer, wait=self.wait)

    def fate(self, fate: Fate) -> Fate:
        return replace(fate, reports=tuple(status for status in fate.reports for _ in "12")) if self.doubles else fate


MOODS = {
    "well": Mood(),
    "hangs": Mood(Trouble.HANG),
    "resets-unread": Mood(Trouble.RESET_UNREAD),
    "resets-taken": Mood(Trouble.RESET_TAKEN),
    "slow": Mood(wait=2.0),
    "too-slow": Mood(wait=8.0),
    "reports-twice": Mood(doubles=True),
}
