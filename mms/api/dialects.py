"""The dialects of the customer API.

A dialect maps the canonical names of parameters and answer fields to its own, and holds its other differences. Code
looks parameters up by canonical name; error messages use the name in the customer's dialect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# Canonical name -> name in Sinch XML, name in Skycore XML.
PARAMETERS: Final[dict[str, tuple[str, str]]] = {
    "action": ("action", "ACTION"),
    "api_key": ("api-key", "API_KEY"),
    "to": ("to", "TO"),
    "from": ("from", "FROM"),
    "mms_id": ("mms-id", "MMSID"),
    "tracking_id": ("tracking-id", "TRACKINGID"),
    "event_id": ("event-id", "EVENTID"),
    "since": ("since", "SINCE"),
    "until": ("until", "UNTIL"),
    "service_id": ("service-id", "CAMPAIGNREF"),
    "operator_id": ("operator-id", "OPERATORID"),
    "fallback_sms_text": ("fallback-sms-text", "FALLBACKSMSTEXT"),
    "disable_fallback_sms": ("disable-fallback-sms", "DISABLEFALLBACKSMS"),
    "disable_fallback_sms_link": ("disable-fallback-sms-link", "DISABLEFALLBACKSMSLINK"),
    "fallback_sms_link_expiration": ("fallback-sms-link-expiration", "FALLBACKSMSLINKEXPIRATION"),
    "custom_subject": ("custom-subject", "CUSTOMSUBJECT"),
    "custom_text": ("custom-text", "CUSTOMTEXT"),
    "value": ("value", "VALUE"),
    "custom_slide": ("slide", "SLIDE"),
    "data": ("data", "DATA"),
    "ddm_force": ("ddm-force", "DDMFORCE"),
    "ddm_subject": ("ddm-message-subject", "DDMTITLE"),
    "ddm_text": ("ddm-message-text", "DDMTEXT"),
    "ddm_timeout": ("ddm-message-timeout", "DDMTIMEOUT"),
    "device": ("device", "DEVICE"),
    "from_mask": ("from-mask", "FROM_MASK"),
    "client_reference": ("client-reference", "CLIENTREFERENCE"),
    "expires_at": ("mms-expiry-timestamp", "MMSEXPIRYTIMESTAMP"),
    "name": ("name", "NAME"),
    "subject": ("message-subject", "SUBJECT"),
    "slide": ("slide", "SLIDE"),
    "message_text": ("message-text", "TEXT"),
    "duration": ("duration", "DURATION"),
    "image": ("image", "IMAGE"),
    "audio": ("audio", "AUDIO"),
    "video": ("video", "VIDEO"),
    "vcard": ("vcard", "VCARD"),
    "ical": ("ical", "ICAL"),
    "pdf": ("pdf", "PDF"),
    "passbook": ("passbook", "PASSBOOK"),
    "url": ("url", "URL"),
    "text_area": ("text-area", "TEXTAREA"),
    "area_text": ("text", "TEXT"),
    "left": ("left", "LEFT"),
    "top": ("top", "TOP"),
    "width": ("width", "WIDTH"),
    "height": ("height", "HEIGHT"),
    "font": ("font", "FONT"),
    "font_size": ("font-size", "FONTSIZE"),
    "color": ("color", "COLOR"),
    "align": ("align", "ALIGN"),
    "vertical_align": ("vertical-align", "VERTICALALIGN"),
    "idempotency_key": ("idempotency-key", "IDEMPOTENCYKEY"),
    "dry_run": ("dry-run", "DRYRUN"),
    "start_date": ("start-date", "STARTDATE"),
    "page_number": ("page-number", "PAGENUMBER"),
    "items_per_page": ("items-per-page", "ITEMSPERPAGE"),
}
# Spellings in older Skycore documents and clients.
SKYCORE_ALIASES: Final = {
    "operator_id": "SPID",
    "fallback_sms_text": "FALLBACK_SMS_TEXT",
    "start_date": "START_DATE",
    "page_number": "PAGE_NUMBER",
    "items_per_page": "ITEMS_PER_PAGE",
}
# Canonical names of answer fields. Sinch writes hyphens for underscores; Skycore writes capitals without separators.
ANSWERS: Final = (
    "status", "mms_id", "tracking_id", "to", "from", "status_details", "error_code", "error_info",
    "start_date", "page_number", "items_per_page", "total_results",
    "mms_template", "mms_name", "mms_subject", "date_created", "total_slides", "mms_size",
    "replayed", "message_status", "sent_as", "handset", "client_reference", "event", "timestamp", "type",
    "route", "operator_id", "carrier", "handset_age", "profile", "ddm", "rendition", "slide", "bytes", "price",
    "reserved", "postbacks",
    "text_area", "text", "left", "top", "width", "height", "font", "font_size", "color", "align", "vertical_align",
)  # fmt: skip

SKYCORE_CODES: Final = {"E311": "E301", "E312": "E302", "E313": "E303", "E314": "E304"}
# Skycore documents yes and no; some of its clients send true and false.
SKYCORE_BOOLEANS: Final = {"yes": True, "no": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The names and defaults of a dialect; the root elements are "" in a dialect without them."""

    parameters: Mapping[str, str]  # canonical name -> name in the dialect
    answers: Mapping[str, str]  # canonical name -> name in the dialect
    aliases: Mapping[str, str] = field(default_factory=dict)  # canonical name -> alternative spelling
    request_root: str = ""
    response_root: str = ""
    boolean_words: Mapping[str, bool] = field(default_factory=lambda: {"true": True, "false": False})
    error_codes: Mapping[str, str] = field(default_factory=dict)  # code in the catalogue -> code in the dialect
    # Required in other dialects; an account's settings may require them in this one, too.
    optional_parameters: frozenset[str] = frozenset()
    default_duration: int = 10  # seconds, for a slide without a duration
    # The names of all parameters; unknown elements are ignored.
    known_names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known_names", frozenset((*self.parameters.values(), *self.aliases.values())))


SINCH: Final = Dialect(
    parameters={name: sinch for name, (sinch, _) in PARAMETERS.items()},
    answers={name: name.replace("_", "-") for name in ANSWERS},
    request_root="request",
    response_root="response",
)
SKYCORE: Final = Dialect(
    parameters={name: skycore for name, (_, skycore) in PARAMETERS.items()},
    answers={name: name.replace("_", "").upper() for name in ANSWERS},
    aliases=SKYCORE_ALIASES,
    request_root="REQUEST",
    response_root="RESPONSE",
    boolean_words=SKYCORE_BOOLEANS,
    error_codes=SKYCORE_CODES,
    optional_parameters=frozenset({"service_id"}),
    default_duration=5,
)
# Skycore's query strings: its names in lower case; nested elements are written customtext_N=... and data_NAME=...
SKYCORE_GET: Final = Dialect(
    parameters={name: skycore.lower() for name, (_, skycore) in PARAMETERS.items()},
    answers=SKYCORE.answers,
    aliases={name: alias.lower() for name, alias in SKYCORE_ALIASES.items()},
    response_root=SKYCORE.response_root,
    boolean_words=SKYCORE.boolean_words,
    error_codes=SKYCORE.error_codes,
    optional_parameters=SKYCORE.optional_parameters,
    default_duration=SKYCORE.default_duration,
)
SINCH_JSON: Final = Dialect(
    parameters={
        **SINCH.parameters,
        "api_key": "x-api-key",  # a header
        "custom_subject": "message-subject",
        "custom_text": "custom-slides",
        "value": "custom-message-text",
        "custom_slide": "custom-slide",
        "vcard": "contact",
        "ical": "calendar",
        "text_area": "text-areas",
    },
    answers={
        **SINCH.answers,
        "mms_template": "mms-templates",
        "event": "events",
        "rendition": "renditions",
        "text_area": "text-areas",
    },
)
XML_DIALECTS: Final = (SINCH, SKYCORE)
