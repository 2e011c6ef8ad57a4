"""The same sendSavedMMS in every dialect, and clients of every endpoint."""

import json
from typing import Any

from django.test import Client

from tests.api.documents import KEY, NUMBER

XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

SKYCORE = f"""<REQUEST><ACTION>sendSavedMMS</ACTION><API_KEY>{KEY}</API_KEY><TO>{NUMBER}</TO><FROM>28444</FROM>
<MMSID>35674</MMSID><CAMPAIGNREF>12345</CAMPAIGNREF><OPERATORID>31002</OPERATORID>
<FALLBACKSMSTEXT>Hello {{{{name}}}}</FALLBACKSMSTEXT><DISABLEFALLBACKSMS>yes</DISABLEFALLBACKSMS>
<DISABLEFALLBACKSMSLINK>No</DISABLEFALLBACKSMSLINK><CUSTOMSUBJECT>Olá</CUSTOMSUBJECT>
<CUSTOMTEXT><VALUE>one</VALUE><SLIDE>1</SLIDE></CUSTOMTEXT><CUSTOMTEXT><SLIDE>2</SLIDE><VALUE>two</VALUE></CUSTOMTEXT>
<DATA><Name>Bill</Name></DATA><DDMFORCE>yes</DDMFORCE><DDMTITLE>Hi</DDMTITLE><DDMTEXT>Free</DDMTEXT>
<DDMTIMEOUT>7</DDMTIMEOUT><FROM_MASK>Shop_1</FROM_MASK><CLIENTREFERENCE>r1</CLIENTREFERENCE></REQUEST>"""
SINCH = f"""<request><action>sendSavedMMS</action><api-key>{KEY}</api-key><to>{NUMBER}</to><from>28444</from>
<mms-id>35674</mms-id><service-id>12345</service-id><operator-id>31002</operator-id>
<fallback-sms-text>Hello {{{{name}}}}</fallback-sms-text><disable-fallback-sms>true</disable-fallback-sms>
<disable-fallback-sms-link>False</disable-fallback-sms-link><custom-subject>Olá</custom-subject>
<custom-text><value>one</value><slide>1</slide></custom-text>
<custom-text><slide>2</slide><value>two</value></custom-text>
<data><Name>Bill</Name></data><ddm-force>true</ddm-force><ddm-message-subject>Hi</ddm-message-subject>
<ddm-message-text>Free</ddm-message-text><ddm-message-timeout>7</ddm-message-timeout>
<from-mask>Shop_1</from-mask><client-reference>r1</client-reference></request>"""
PAIRS = {
    "action": "sendSavedMMS", "api_key": KEY, "to": NUMBER, "from": "28444", "mmsid": "35674", "campaignref": "12345",
    "operatorid": "31002", "fallbacksmstext": "Hello {{name}}", "disablefallbacksms": "yes",
    "disablefallbacksmslink": "no", "customsubject": "Olá", "customtext_1": "one", "customtext_2": "two",
    "data_Name": "Bill", "ddmforce": "yes", "ddmtitle": "Hi", "ddmtext": "Free", "ddmtimeout": "7",
    "from_mask": "Shop_1", "clientreference": "r1",
}  # fmt: skip
JSON: dict[str, Any] = {
    "action": "sendsavedmms", "to": NUMBER, "from": 28444, "mms-id": 35674, "service-id": "12345",
    "operator-id": 31002, "fallback-sms-text": "Hello {{name}}", "disable-fallback-sms": True,
    "disable-fallback-sms-link": False, "message-subject": "Olá",
    "custom-slides": [
        {"custom-message-text": "one", "custom-slide": 1}, {"custom-slide": "2", "custom-message-text": "two"}
    ],
    "data": {"Name": "Bill"}, "ddm-force": True, "ddm-message-subject": "Hi", "ddm-message-text": "Free",
    "ddm-message-timeout": 7, "from-mask": "Shop_1", "client-reference": "r1", "device": None, "unknown": {"a": [[]]},
}  # fmt: skip


def post(path: str, body: bytes, content_type: str) -> tuple[str, bytes]:
    reply = Client().generic("POST", path, body, content_type=content_type)
    assert reply.status_code == 200
    return reply["Content-Type"], bytes(reply.content)


def get(query: str) -> bytes:
    reply = Client().get(f"/API/wxml/1.3/?{query}")
    assert (reply.status_code, reply["Content-Type"]) == (200, "text/plain; charset=utf-8")
    return bytes(reply.content)


def post_json(body: object, key: str = KEY) -> dict[str, Any]:
    document = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = Client().generic("POST", "/ep/v2/", document, headers={"x-api-key": key})
    assert (reply.status_code, reply["Content-Type"]) == (200, "application/json; charset=utf-8")
    answer: dict[str, Any] = json.loads(reply.content)
    return answer


SKYCORE_SAVE = "<REQUEST><ACTION>saveMMS</ACTION><API_KEY>{key}</API_KEY>{rest}</REQUEST>"
