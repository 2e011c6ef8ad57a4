"""Scenarios of the demo: the messages, the test numbers they are sent to, and the expected course of each."""

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from simulator.demo import pictures, sample_data
from simulator.handset import Handset
from simulator.numbers import subscriber

# The request of the API documentation, byte for byte.
SEED = (Path(__file__).parent / "seed.xml").read_bytes()
DDM_SUBJECT = "We are detecting your handset"
PICTURES = 3


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected course of a message: the kinds of its timeline events and the codes of its postbacks, in order."""

    timeline: tuple[str, ...]
    postback_codes: tuple[str, ...]


CONTENT_EVENTS = ("adapted", "submitted", "delivered")
NO_DDM = Expected(("accepted", *CONTENT_EVENTS), ("N101", "N102"))
DDM_DELIVERED = Expected(
    ("accepted", "discovering", "ddm-sent", "ddm-delivered", *CONTENT_EVENTS), ("N501", "N502", "N101", "N102")
)
DDM_UNANSWERED = Expected(
    ("accepted", "discovering", "ddm-sent", "deadline", *CONTENT_EVENTS), ("N501", "N101", "N102")
)
DDM_REFUSED = Expected(("accepted", "discovering", "ddm-failed", *CONTENT_EVENTS), ("E501", "N101", "N102"))
DDM_UNDELIVERED = Expected(
    ("accepted", "discovering", "ddm-sent", "ddm-undelivered", *CONTENT_EVENTS), ("N501", "E502", "N101", "N102")
)
CONTENT_REJECTED = Expected((*DDM_DELIVERED.timeline[:-1], "rejected"), ("N501", "N502", "N101", "E102"))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A message to send and its expected course. The last four digits of the number select the handset.

    `uses_generic_profile`: it is submitted before the handset is known. `advances_deadline`: the demo moves the
    deadline of its discovery to the present instead of waiting.
    """

    title: str
    number: str
    expected: Expected
    forces_ddm: bool = False
    uses_generic_profile: bool = False
    advances_deadline: bool = False
    request: bytes = b""

    @property
    def handset(self) -> Handset:
        return subscriber(self.number).handset

    @property
    def body(self) -> bytes:
        """The request to the customer API."""
        return self.request or _send_request(self.number, self.forces_ddm)


SEED_REQUEST = Scenario("seed request: unknown handset, DDM delivered", "14044790000", DDM_DELIVERED, request=SEED)
# The messages of a group are sent at the same time; a group starts when the previous one has finished.
GROUPS = (
    (
        SEED_REQUEST,
        Scenario(
            "no report on the DDM", "14044790101", DDM_UNANSWERED, uses_generic_profile=True, advances_deadline=True
        ),
        Scenario("DDM refused", "14044790202", DDM_REFUSED, uses_generic_profile=True),
        Scenario("DDM not delivered", "14044790903", DDM_UNDELIVERED),
        Scenario("small old handset: 128x160, 30 KB", "14044790400", DDM_DELIVERED),
        Scenario("content rejected", "14044791305", CONTENT_REJECTED),
    ),
    (
        Scenario("first number again: no DDM", SEED_REQUEST.number, NO_DDM),
        Scenario("DDM forced, handset known", "14044790400", DDM_DELIVERED, forces_ddm=True),
    ),
)
NUMBERS = sorted({scenario.number for group in GROUPS for scenario in group})


def save_request(simulator_url: str) -> bytes:
    """Return the request that stores the template, with pictures from the simulator at this URL."""
    slides = (
        (pictures.PHOTOGRAPH, 6, "Hello {{firstname|there}}, the lake is waiting for you."),
        (pictures.LOGO, 5, "{{firstname|Dear guest}}, show this badge at the desk: {{accountnumber|LAKE20}}"),
        (pictures.SMALL_PHOTOGRAPH, 5, "Good night from the shore."),
    )
    return (
        f"<request><action>saveMMS</action><api-key>{sample_data.API_KEY}</api-key><name>Summer at the lake</name>"
        "<message-subject>Summer at the lake</message-subject>"
        + "".join(
            f"<slide><image><url>{simulator_url}/pictures/{name}</url></image>"
            f"<message-text>{escape(text)}</message-text><duration>{seconds}</duration></slide>"
            for name, seconds, text in slides
        )
        + "</request>"
    ).encode()


def _send_request(number: str, forces_ddm: bool) -> bytes:
    return f"""<request>
    <action>sendSavedMMS</action>
    <api-key>{sample_data.API_KEY}</api-key>
    <to>{number}</to>
    <from>{sample_data.SENDER}</from>
    <service-id>{sample_data.SERVICE}</service-id>
    <mms-id>{sample_data.MMS_ID}</mms-id>
    <ddm-message-subject>{DDM_SUBJECT}</ddm-message-subject>
    <ddm-message-text>This message is free of charge.</ddm-message-text>
    <ddm-message-timeout>10</ddm-message-timeout>
    <ddm-force>{str(forces_ddm).lower()}</ddm-force>
    <data><firstname>Bill</firstname><accountnumber>XYZ23456</accountnumber></data>
</request>
""".encode()
