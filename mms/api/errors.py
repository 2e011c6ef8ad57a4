"""The error catalogue of the customer API: every code and when it is answered."""

from typing import Final

from mms.api.dialects import Dialect

CATALOGUE: Final[dict[str, str]] = {
    "E100": "No request, no action, or a parameter is malformed that has no code of its own",
    "E103": "The account is blocked",
    "E104": "The api key is missing or unknown",
    "E105": "The account has no API access",
    "E106": "The call comes sooner after the one before than the account's minimum interval",
    "E107": "The action is unknown, or this key may not be used for it",
    "E108": "The request is not well-formed",
    "E110": "`to` is missing, not in international format, not a possible number, or more than one",
    "E111": "`from` is missing or not one of the account's senders",
    "E112": "The caller's address is not one that the account allows",
    "E113": "More calls of this action than the account may make in a second, or have fetching files at once",
    "E114": "The recipient is on the block list of the account or of the platform",
    "E212": "The page-number is invalid",
    "E213": "The items-per-page are invalid",
    "E214": "The start-date is invalid",
    "E223": "Two objects (vcard, ical, pdf, passbook) in one slide",
    "E224": "An object and an image, audio or video in one slide",
    "E225": "More than 8 slides",
    "E226": "Audio and video in one slide",
    "E227": "Image and video in one slide",
    "E228": "A text is too long",
    "E230": "A slide's duration is invalid",
    "E241": "The account has no such mms-id",
    "E301": "Skycore dialect: the name is missing or invalid",
    "E302": "Skycore dialect: there are no slides",
    "E303": "Skycore dialect: a slide is empty",
    "E304": "Skycore dialect: the subject is missing or invalid",
    "E311": "The name is missing or invalid",
    "E312": "There are no slides",
    "E313": "A slide is empty",
    "E314": "The subject is missing or invalid",
    "E331": "An image is too big",
    "E332": "An audio is too big",
    "E333": "A video is too big",
    "E334": "A slide's text, or one that is drawn onto its picture, is too long",
    "E335": "A vCard is too big",
    "E336": "An iCalendar is too big",
    "E337": "A PDF is too big",
    "E338": "A pass is too big",
    "E341": "An image is corrupted",
    "E351": "An image could not be fetched",
    "E352": "An audio could not be fetched",
    "E353": "A video could not be fetched",
    "E355": "A vCard could not be fetched",
    "E356": "An iCalendar could not be fetched",
    "E357": "A PDF could not be fetched",
    "E358": "A pass could not be fetched",
    "E503": "Internal error",
    "E618": "The carrier of the number is not known",
    "E619": "The sender address is not provisioned on the recipient's carrier",
    "E620": "The mms-id is missing",
    "E622": "The fallback-sms-text is missing",
    "E626": "The template's audio or video is being encoded",
    "E627": "The service-id is missing or not one of the account's",
    "E628": "The carrier is not supported",
    "E629": "The type of a file is not recognised or not accepted, or the encoding of the template failed",
    "E650": "The operator-id is malformed",
    "E651": "The operator-id is unknown",
    "E713": "Billing: no funds, the credit or spend limit is reached, or the account is suspended",
}


class Refusal(Exception):
    """A request that is answered with a Failure: its code and a sentence that tells the customer what to change.

    `dialect` is that of a request which could not be read, where it can be told all the same.
    """

    def __init__(self, code: str, info: str) -> None:
        super().__init__(f"{code} ({CATALOGUE[code]}): {info}")
        self.code = code
        self.info = info
        self.dialect: Dialect | None = None
