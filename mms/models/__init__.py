"""Models of mms: carriers, content, messages, submits, postbacks and counters."""

from mms.models.carrier_feed import CarrierFeed
from mms.models.carriers import Carrier, NumberPrefix
from mms.models.content import DiscardedFile, Encoding, Medium, Rendition, Slide, SlideMedium, Template, TextArea
from mms.models.first_answers import FirstAnswer
from mms.models.messages import AWAITING_REPORT, LOCK_ORDER, Discovery, Event, Message, Sendable, Status
from mms.models.postbacks import Postback, PostbackAttempt
from mms.models.submissions import Attempt, Report
from mms.models.tallies import Counted, Tally

__all__ = [
    "AWAITING_REPORT",
    "LOCK_ORDER",
    "Attempt",
    "Carrier",
    "CarrierFeed",
    "Counted",
    "DiscardedFile",
    "Discovery",
    "Encoding",
    "Event",
    "FirstAnswer",
    "Medium",
    "Message",
    "NumberPrefix",
    "Postback",
    "PostbackAttempt",
    "Rendition",
    "Report",
    "Sendable",
    "Slide",
    "SlideMedium",
    "Status",
    "Tally",
    "Template",
    "TextArea",
]
