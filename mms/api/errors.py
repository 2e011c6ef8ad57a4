"""The error catalogue of the customer API: every code and its meaning."""

from typing import Final

from mms.api.dialects import Dialect

CATALOGUE: Final[dict[str, str]] = {
    "E100": "The request or the action is missing, or a parameter without a code of its own is malformed",
    "E103": "The account is blocked",
    "E104": "The API key is missing or unknown",
    "E105": "The account has no API access",
    "E106": "The request follows the previous one within the account's minimum interval",
    "E107": "The action is unknown, or not allowed for this key",
    "E108": "The request is not well-formed",
    "E110": "`to` is missing, not in international format, not a possible number, or given more than once",
    "E111": "`from` is missing or not one of the account's senders",
    "E112": "The client address is not allowed for the account",
    "E113": "Too many requests: per second for this action, waiting, fetching files, or with large pictures",
    "E114": "The recipient is on the block list of the account or of the platform",
    "E212": "The page-number is invalid",
    "E213": "The items-per-page is invalid",
    "E214": "The start-date is invalid",
    "E223": "Two objects (vcard, ical, pdf, passbook) are in one slide",
    "E224": "An object and an image, audio or video are in one slide",
    "E225": "There are more than 8 slides",
    "E226": "Audio and video are in one slide",
    "E227": "An image and a video are in one slide",
    "E228": "A text is too long",
    "E230": "A slide's duration is invalid",
    "E241": "The account has no content with this mms-id",
    "E301": "Skycore dialect: the name is missing or invalid",
    "E302": "Skycore dialect: there are no slides",
    "E303": "Skycore dialect: a slide is empty",
    "E304": "Skycore dialect: the subject is missing or invalid",
    "E311": "The name is missing or invalid",
    "E312": "There are no slides",
    "E313": "A slide is empty",
    "E314": "The subject is missing or invalid",
    "E331": "An image is too large",
    "E332": "An audio file is too large",
    "E333": "A video is too large",
    "E334": "The text of a slide or of a text area is too long",
    "E335": "A vCard is too large",
    "E336": "An iCalendar file is too large",
    "E337": "A PDF is too large",
    "E338": "A pass is too large",
    "E341": "An image is damaged",
    "E351": "An image could not be fetched",
    "E352": "An audio file could not be fetched",
    "E353": "A video could not be fetched",
    "E355": "A vCard could not be fetched",
    "E356": "An iCalendar file could not be fetched",
    "E357": "A PDF could not be fetched",
    "E358": "A pass could not be fetched",
    "E503": "Internal error",
    "E618": "The carrier of the number is unknown",
    "E619": "The sender address is not provisioned on the recipient's carrier",
    "E620": "The mms-id is missing",
    "E622": "The fallback-sms-text is missing",
    "E626": "The audio or video of the content is still being encoded",
    "E627": "The service-id is missing or not defined for the account",
    "E628": "The carrier is not supported",
    "E629": "The type of a file is unknown or not accepted, or the content could not be encoded",
    "E650": "The operator-id is malformed",
    "E651": "The operator-id is unknown",
    "E713": "Billing: insufficient funds, credit or spend limit reached, or account suspended",
}


class Refusal(Exception):
    """The reason for a Failure: a code, and a sentence that says what to change.

    `dialect` is set for a request that could not be parsed, if its dialect could be determined.
    """

    def __init__(self, code: str, info: str) -> None:
        super().__init__(f"{code} ({CATALOGUE[code]}): {info}")
        self.code = code
        self.info = info
        self.dialect: Dialect | None = None
