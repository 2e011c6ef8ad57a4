"""Test numbers: the last four digits of a number, HHBB, select its handset (HH) and its behaviour (BB).

14044790000 is an iPhone with immediate delivery; 14044790403 is a small old handset whose discovery message expires.
A text-only message counts as a discovery message (DDM), any other message as content. Digits that are not in the
tables select handset 00 or behaviour 00.

A handset that rejects the content (too many bytes, a picture it cannot decode, an unsupported type) reports "Rejected"
instead of "Retrieved"; the log entry gives the reason in `rejected`.

Attempts are counted per TransactionID. Repeating a TransactionID whose message was accepted is a duplicate: it gets the
same MessageID again and is not delivered a second time. Refused attempts do not count as accepted.
"""

from dataclasses import dataclass, replace

from simulator.behaviour import Answer, Behaviour, Handling, ReportFormat, TransportFailure, same_for_all
from simulator.handset import Handset

KB = 1024
OLD = frozenset({"image/jpeg", "image/gif", "image/vnd.wap.wbmp", "audio/amr", "audio/midi"})
MIDDLE = OLD | {"image/png", "audio/mp4", "video/3gpp", "text/x-vcard"}
CDMA = OLD | {"image/png", "audio/qcelp", "video/3gpp2", "text/x-vcard"}
MODERN = MIDDLE | {"audio/mpeg", "audio/aac", "video/mp4", "text/vcard", "text/calendar"}

# fmt: off
HANDSETS = {
    "00": Handset("iPhone 12", "http://iphonemms.apple.com/iphone/uaprof-2MB.rdf",
                  (1170, 2532), (1600, 1600), 1024 * KB, MODERN),
    "01": Handset("Samsung Galaxy A3", "http://wap.samsungmobile.com/uaprof/SM-A300FU.xml",
                  (540, 960), (1600, 1200), 600 * KB, MODERN),
    "02": Handset("LG G3 s", "http://gsm.lge.com/html/gsm/D722-M3-D1.xml",
                  (720, 1280), (1600, 1200), 600 * KB, MODERN),
    "03": Handset("Motorola SLVR L7c", "motol7c",
                  (176, 220), (640, 480), 100 * KB, CDMA, baseline_only=True),
    "04": Handset("Sony Ericsson T610", "http://wap.sonyericsson.com/UAprof/T610R201.xml",
                  (128, 160), (160, 120), 30 * KB, OLD, baseline_only=True),
    "05": Handset("iPhone 12 (token)", "iphone_12",
                  (1170, 2532), (1600, 1600), 1024 * KB, MODERN),
    "06": Handset("LG VX8000", "VX8000v1",
                  (176, 220), (640, 480), 100 * KB, CDMA, baseline_only=True),
    "07": Handset("handset reported as Default", "Default",
                  (480, 800), (640, 480), 300 * KB, MIDDLE),
    "08": Handset("Samsung Galaxy S", "Samsung Galaxy",
                  (480, 800), (640, 480), 300 * KB, MIDDLE),
    "09": Handset("Motorola Moto G (2014)", "MOT-XT1072/Mms-5.0",
                  (720, 1280), (1600, 1200), 600 * KB, MODERN),
    "10": Handset("generic Android handset", "Android-Mms/2.0",
                  (1080, 1920), (1600, 1200), 1024 * KB, MODERN),
    "11": Handset("iPhone 3G", "iPhoneOS/4.2.1 (8C148)",
                  (320, 480), (640, 480), 300 * KB, MIDDLE),
    "12": Handset("Samsung Galaxy A3 (user agent)", "SAMSUNG-ANDROID-MMS/SM-A300FU",
                  (540, 960), (1600, 1200), 600 * KB, MODERN),
    "13": Handset("Nokia 6230i", "http://nds1.nds.nokia.com/uaprof/N6230ir200.xml",
                  (208, 208), (640, 480), 100 * KB, MIDDLE, baseline_only=True),
}

_NO_REPORT = Handling(reports=())

_BASE_BEHAVIOURS = {
    "00": Behaviour("immediate delivery; the report names the handset"),
    "01": Behaviour("no report on the DDM; content is delivered", ddm=_NO_REPORT),
    "02": Behaviour("the DDM is refused with a Fault, status 2001; content is delivered",
                    ddm=Handling(Answer(2001, fault=True))),
    "03": Behaviour("the DDM expires; content is delivered", ddm=Handling(reports=("Expired",))),
    "04": same_for_all("delivered, but the reports name no handset", Handling(names_handset=False)),
    "05": Behaviour("content is rejected", content=Handling(reports=("Rejected",))),
    "06": Behaviour("content expires", content=Handling(reports=("Expired",))),
    "07": Behaviour("the report on content is sent twice", content=Handling(reports=("Retrieved", "Retrieved"))),
    "08": Behaviour("the report on content is sent before the SubmitRsp", content=Handling(early=True)),
    "09": same_for_all("connection reset before the whole request is read, for DDM and content; "
                       "the second attempt succeeds",
                       Handling(Answer(failure=TransportFailure.RESET_BEFORE_READ), attempts=1)),
    "10": Behaviour("connection reset after content was accepted: it is delivered and reported under a "
                    "MessageID that the platform never received",
                    content=Handling(Answer(failure=TransportFailure.RESET_AFTER_ACCEPT), attempts=1)),
    "11": Behaviour("HTTP 500 without SOAP; the second attempt succeeds",
                    content=Handling(Answer(failure=TransportFailure.HTTP_500), attempts=1)),
    "12": Behaviour("Fault with status 3000; the second attempt succeeds",
                    content=Handling(Answer(3000, fault=True), attempts=1)),
    "13": Behaviour("Fault with status 2004 (content refused) on every attempt",
                    content=Handling(Answer(2004, fault=True))),
    "14": Behaviour("no response for 120 seconds, then the connection closes; nothing is delivered",
                    content=Handling(Answer(failure=TransportFailure.HANG))),
    "15": Behaviour("the report on content is sent after 3 seconds", content=Handling(delay=3.0)),
    "16": same_for_all("delivered, but without a report on either DDM or content", _NO_REPORT),
    "17": Behaviour("the report on the DDM is held until POST /control/release?number=...",
                    ddm=Handling(held=True)),
    "18": Behaviour("the report on the DDM is sent twice", ddm=Handling(reports=("Retrieved", "Retrieved"))),
    "19": Behaviour("content is reported Forwarded, Deferred, then Retrieved",
                    content=Handling(reports=("Forwarded", "Deferred", "Retrieved"))),
    "20": Behaviour("content is reported Rejected, then Expired",
                    content=Handling(reports=("Rejected", "Expired"))),
    "21": Behaviour("HTTP 503 twice; the third attempt succeeds",
                    content=Handling(Answer(failure=TransportFailure.HTTP_503), attempts=2)),
    "22": Behaviour("content is accepted and delivered, but the response is a web page with HTTP 200",
                    content=Handling(Answer(failure=TransportFailure.GARBAGE), attempts=1)),
    "23": Behaviour("content is reported Unreachable", content=Handling(reports=("Unreachable",))),
    "24": Behaviour("content is reported NotSupported", content=Handling(reports=("NotSupported",))),
    "25": Behaviour("content is reported Unrecognised", content=Handling(reports=("Unrecognised",))),
    "26": Behaviour("content is reported Indeterminate", content=Handling(reports=("Indeterminate",))),
    "27": Behaviour("content is reported with a carrier-specific status",
                    content=Handling(reports=("Delivery condition not met",))),
    "28": Behaviour("reports have Sender and Recipient swapped", content=Handling(report_format=ReportFormat.SWAPPED)),
    "29": Behaviour("reports are loosely formatted: lower case, no Date, no namespace, /TYPE=PLMN",
                    content=Handling(report_format=ReportFormat.LOOSE)),
}
# fmt: on

# Status codes of 3GPP TS 23.140, 8.7.8, some carrier-specific ones, and an unknown one.
_STATUS_CODES = (
    *range(2000, 2010),
    *range(3000, 3005),
    *(1100, 3500, 3510, 2569, 9999),
    *range(4000, 4009),
)


def _ddm_behaviours() -> dict[str, Behaviour]:
    """Return the behaviours BB + 30: the DDM is handled like content under BB, and content is delivered."""
    return {
        f"{int(digits) + 30}": Behaviour(f"as {digits}, but for the DDM; content is delivered", ddm=base.content)
        for digits, base in _BASE_BEHAVIOURS.items()
        if base.content != Handling() and base.content != base.ddm
    }


def _status_code_behaviours() -> dict[str, Behaviour]:
    """Return the behaviours from 60: the MMSC answers content with one status code on every attempt."""
    return {
        f"{digits}": Behaviour(f"content is answered with status {code}", content=Handling(Answer(code)))
        for digits, code in enumerate(_STATUS_CODES, start=60)
    }


BEHAVIOURS = _BASE_BEHAVIOURS | _ddm_behaviours() | _status_code_behaviours()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Handset and behaviour of a number, with the digits that select them."""

    handset: Handset
    behaviour: Behaviour
    handset_digits: str
    behaviour_digits: str

    def handling(self, is_ddm: bool) -> Handling:
        return self.behaviour.ddm if is_ddm else self.behaviour.content


def subscriber(number: str) -> Subscriber:
    """Return the subscriber with this number, given in digits."""
    selector = number[-4:].rjust(4, "0")
    handset = selector[:2] if selector[:2] in HANDSETS else "00"
    behaviour = selector[2:] if selector[2:] in BEHAVIOURS else "00"
    return Subscriber(HANDSETS[handset], BEHAVIOURS[behaviour], handset, behaviour)


def reject(handling: Handling) -> Handling:
    """Return the handling of content that the handset rejects."""
    reports = tuple("Rejected" if status == "Retrieved" else status for status in handling.reports)
    return replace(handling, reports=reports)
