"""The story: which messages are sent to which simulated handsets, and what must become of each."""

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from simulator.demo import pictures, world
from simulator.handset import Handset
from simulator.numbers import subscriber

# The request as the customers' documentation prints it; it is sent byte for byte.
SEED = (Path(__file__).parent / "seed.xml").read_bytes()
DDM_SUBJECT = "We are detecting your handset"
PICTURES = 3


@dataclass(frozen=True, slots=True)
class Course:
    """What must become of a message: the steps of its timeline and the codes of its postbacks, in order."""

    steps: tuple[str, ...]
    codes: tuple[str, ...]


SENT = ("adapted", "submitted", "delivered")
KNOWN = Course(("accepted", *SENT), ("N101", "N102"))
ANSWERED = Course(("accepted", "discovering", "ddm-sent", "ddm-delivered", *SENT), ("N501", "N502", "N101", "N102"))
SILENT = Course(("accepted", "discovering", "ddm-sent", "deadline", *SENT), ("N501", "N101", "N102"))
REFUSED = Course(("accepted", "discovering", "ddm-failed", *SENT), ("E501", "N101", "N102"))
UNDELIVERED = Course(
    ("accepted", "discovering", "ddm-sent", "ddm-undelivered", *SENT), ("N501", "E502", "N101", "N102")
)
REJECTED = Course((*ANSWERED.steps[:-1], "rejected"), ("N501", "N502", "N101", "E102"))


@dataclass(frozen=True, slots=True)
class Case:
    """One message: what it shows, to which number, its course. The number's last four digits choose the handset.

    `generic`: it goes out before anything names the handset. `hurried`: the demo brings its deadline forward.
    """

    title: str
    number: str
    course: Course
    forced: bool = False
    generic: bool = False
    hurried: bool = False
    request: bytes = b""

    @property
    def handset(self) -> Handset:
        return subscriber(self.number).handset

    @property
    def body(self) -> bytes:
        """The request of the customer's."""
        return self.request or _send(self.number, self.forced)


FIRST = Case("the seed request: handset unknown, DDM answered", "14044790000", ANSWERED, request=SEED)
# Messages of one act go out together; an act begins when the one before it has ended.
ACTS = (
    (
        FIRST,
        Case("the DDM is never answered", "14044790101", SILENT, generic=True, hurried=True),
        Case("the DDM is refused", "14044790202", REFUSED, generic=True),
        Case("the DDM is not delivered", "14044790903", UNDELIVERED),
        Case("a small old handset: 128x160, 30 KB", "14044790400", ANSWERED),
        Case("the content is rejected", "14044791305", REJECTED),
    ),
    (
        Case("again to the first number: no DDM", FIRST.number, KNOWN),
        Case("a DDM forced though the handset is known", "14044790400", ANSWERED, forced=True),
    ),
)
NUMBERS = sorted({case.number for act in ACTS for case in act})


def save(simulator: str) -> bytes:
    """The request that stores the template, with pictures from the simulator at this address."""
    slides = (
        (pictures.PHOTOGRAPH, 6, "Hello {{firstname|there}}, the lake is waiting for you."),
        (pictures.LOGO, 5, "{{firstname|Dear guest}}, show this badge at the desk: {{accountnumber|LAKE20}}"),
        (pictures.SMALL, 5, "Good night from the shore."),
    )
    return (
        f"<request><action>saveMMS</action><api-key>{world.API_KEY}</api-key><name>Summer at the lake</name>"
        "<message-subject>Summer at the lake</message-subject>"
        + "".join(
            f"<slide><image><url>{simulator}/pictures/{name}</url></image>"
            f"<message-text>{escape(text)}</message-text><duration>{seconds}</duration></slide>"
            for name, seconds, text in slides
        )
        + "</request>"
    ).encode()


def _send(number: str, forced: bool) -> bytes:
    return f"""<request>
    <action>sendSavedMMS</action>
    <api-key>{world.API_KEY}</api-key>
    <to>{number}</to>
    <from>{world.SENDER}</from>
    <service-id>{world.SERVICE}</service-id>
    <mms-id>{world.MMS_ID}</mms-id>
    <ddm-message-subject>{DDM_SUBJECT}</ddm-message-subject>
    <ddm-message-text>This message is free of charge.</ddm-message-text>
    <ddm-message-timeout>10</ddm-message-timeout>
    <ddm-force>{str(forced).lower()}</ddm-force>
    <data><firstname>Bill</firstname><accountnumber>XYZ23456</accountnumber></data>
</request>
""".encode()
