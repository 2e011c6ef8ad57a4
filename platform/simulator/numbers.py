"""The test numbers: the last four digits of a number, HHBB, choose its handset (HH) and its behaviour (BB).

14044790000 is an iPhone whose messages are delivered at once; 14044790403 is a small old telephone whose
discovery message expires. A message of nothing but text counts as a discovery message (DDM), any other as
content. A number whose digits are not in a table has handset 00 or behaviour 00.

A handset that would not take the content (too many bytes, a picture that it cannot decode, an unknown type)
answers "Rejected" where the table below says "Retrieved"; the log then tells why in `refused`.

"First try" is counted per TransactionID. A TransactionID whose message was taken before is a duplicate: it
gets its old MessageID again and is delivered no second time. Refused tries do not count as taken.
"""

from dataclasses import dataclass, replace

from simulator.behaviour import Answer, Behaviour, Fate, Shape, Trouble, both
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
    "05": Handset("iPhone 12 named by a token", "iphone_12",
                  (1170, 2532), (1600, 1600), 1024 * KB, MODERN),
    "06": Handset("LG VX8000", "VX8000v1",
                  (176, 220), (640, 480), 100 * KB, CDMA, baseline_only=True),
    "07": Handset("a telephone whose carrier says Default", "Default",
                  (480, 800), (640, 480), 300 * KB, MIDDLE),
    "08": Handset("Samsung Galaxy S", "Samsung Galaxy",
                  (480, 800), (640, 480), 300 * KB, MIDDLE),
    "09": Handset("Motorola Moto G (2014)", "MOT-XT1072/Mms-5.0",
                  (720, 1280), (1600, 1200), 600 * KB, MODERN),
    "10": Handset("an Android telephone", "Android-Mms/2.0",
                  (1080, 1920), (1600, 1200), 1024 * KB, MODERN),
    "11": Handset("iPhone 3G", "iPhoneOS/4.2.1 (8C148)",
                  (320, 480), (640, 480), 300 * KB, MIDDLE),
    "12": Handset("Samsung Galaxy A3 by its user agent", "SAMSUNG-ANDROID-MMS/SM-A300FU",
                  (540, 960), (1600, 1200), 600 * KB, MODERN),
    "13": Handset("Nokia 6230i", "http://nds1.nds.nokia.com/uaprof/N6230ir200.xml",
                  (208, 208), (640, 480), 100 * KB, MIDDLE, baseline_only=True),
}

_SILENT = Fate(reports=())

_CHOSEN = {
    "00": Behaviour("delivered at once, the report names the handset"),
    "01": Behaviour("the DDM is never answered; content is delivered", ddm=_SILENT),
    "02": Behaviour("the DDM is refused by a Fault with 2001; content is delivered",
                    ddm=Fate(Answer(2001, fault=True))),
    "03": Behaviour("the DDM expires; content is delivered", ddm=Fate(reports=("Expired",))),
    "04": both("delivered, but no report names the handset", Fate(names_handset=False)),
    "05": Behaviour("content is rejected", content=Fate(reports=("Rejected",))),
    "06": Behaviour("content expires", content=Fate(reports=("Expired",))),
    "07": Behaviour("the report on content comes twice", content=Fate(reports=("Retrieved", "Retrieved"))),
    "08": Behaviour("the report on content is sent before the SubmitRsp", content=Fate(early=True)),
    "09": both("connection reset as soon as the number is read, the rest unread, for DDM and content; "
               "the second try works", Fate(Answer(trouble=Trouble.RESET_UNREAD), tries=1)),
    "10": Behaviour("connection reset after content was read and taken: it is delivered and reported under a "
                    "MessageID that nobody was told",
                    content=Fate(Answer(trouble=Trouble.RESET_TAKEN), tries=1)),
    "11": Behaviour("HTTP 500 without SOAP; the second try works",
                    content=Fate(Answer(trouble=Trouble.HTTP_500), tries=1)),
    "12": Behaviour("Fault with 3000; the second try works", content=Fate(Answer(3000, fault=True), tries=1)),
    "13": Behaviour("Fault with 2004, content refused, at every try", content=Fate(Answer(2004, fault=True))),
    "14": Behaviour("no answer for 120 seconds, then the connection closes; nothing is delivered",
                    content=Fate(Answer(trouble=Trouble.HANG))),
    "15": Behaviour("the report on content comes after 3 seconds", content=Fate(delay=3.0)),
    "16": both("delivered, but neither DDM nor content is ever reported", _SILENT),
    "17": Behaviour("the DDM is answered when released: POST /control/release?number=...",
                    ddm=Fate(held=True)),
    "18": Behaviour("the report on the DDM comes twice", ddm=Fate(reports=("Retrieved", "Retrieved"))),
    "19": Behaviour("content is reported Forwarded, Deferred, then Retrieved",
                    content=Fate(reports=("Forwarded", "Deferred", "Retrieved"))),
    "20": Behaviour("content is reported Rejected, later Expired",
                    content=Fate(reports=("Rejected", "Expired"))),
    "21": Behaviour("HTTP 503 twice; the third try works",
                    content=Fate(Answer(trouble=Trouble.HTTP_503), tries=2)),
    "22": Behaviour("content is taken and delivered, but the answer is a web page under HTTP 200",
                    content=Fate(Answer(trouble=Trouble.GARBAGE), tries=1)),
    "23": Behaviour("content is reported Unreachable", content=Fate(reports=("Unreachable",))),
    "24": Behaviour("content is reported NotSupported", content=Fate(reports=("NotSupported",))),
    "25": Behaviour("content is reported Unrecognised", content=Fate(reports=("Unrecognised",))),
    "26": Behaviour("content is reported Indeterminate", content=Fate(reports=("Indeterminate",))),
    "27": Behaviour("content is reported by a status of the carrier's own",
                    content=Fate(reports=("Delivery condition not met",))),
    "28": Behaviour("reports come with Sender and Recipient exchanged", content=Fate(shape=Shape.SWAPPED)),
    "29": Behaviour("reports are loosely written: lower case, no Date, no namespace, /TYPE=PLMN",
                    content=Fate(shape=Shape.LOOSE)),
}
# fmt: on

# Status codes of 3GPP TS 23.140, 8.7.8, some of carriers' own, and one that nobody knows.
_STATUS_CODES = (
    *range(2000, 2010),
    *range(3000, 3005),
    *(1100, 3500, 3510, 2569, 9999),
    *range(4000, 4009),
)


def _mirrored() -> dict[str, Behaviour]:
    """BB + 30: the DDM meets what content meets under BB, and content is delivered."""
    return {
        f"{int(digits) + 30}": Behaviour(
            f"as {digits}, but it befalls the DDM; content is delivered", ddm=chosen.content
        )
        for digits, chosen in _CHOSEN.items()
        if chosen.content != Fate() and chosen.content != chosen.ddm
    }


def _coded() -> dict[str, Behaviour]:
    """60 and on: the MMSC answers content with one status code, at every try."""
    return {
        f"{digits}": Behaviour(f"content is answered with status {code}", content=Fate(Answer(code)))
        for digits, code in enumerate(_STATUS_CODES, start=60)
    }


BEHAVIOURS = _CHOSEN | _mirrored() | _coded()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who answers to a number."""

    handset: Handset
    behaviour: Behaviour
    handset_digits: str
    behaviour_digits: str

    def fate(self, ddm: bool) -> Fate:
        return self.behaviour.ddm if ddm else self.behaviour.content


def subscriber(number: str) -> Subscriber:
    """The handset and behaviour of a number given in digits."""
    chosen = number[-4:].rjust(4, "0")
    handset = chosen[:2] if chosen[:2] in HANDSETS else "00"
    behaviour = chosen[2:] if chosen[2:] in BEHAVIOURS else "00"
    return Subscriber(HANDSETS[handset], BEHAVIOURS[behaviour], handset, behaviour)


def refused(fate: Fate) -> Fate:
    """The same course where the handset will not take the content."""
    return replace(fate, reports=tuple("Rejected" if it == "Retrieved" else it for it in fate.reports))
