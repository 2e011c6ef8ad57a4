"""The corpora of the fuzzer: realistic requests, reports, answers and handset identities."""

import json
from pathlib import Path
from urllib.parse import urlencode

from mms.api.dialects import PARAMETERS, SINCH_JSON, SKYCORE_GET
from tests.api.dialect_requests import JSON, PAIRS, SINCH, SKYCORE
from tests.api.documents import KEY
from tests.fuzz.mutation import Corpus, FuzzInput
from tests.wire import IPHONE, SEED

SAMPLES = Path(__file__).parents[1] / "samples" / "mm7"

SAVE = f"""<request><action>saveMMS</action><api-key>{KEY}</api-key><name>Spring</name>
<message-subject>Spring is here, {{{{name|you}}}}</message-subject><fallback-sms-text>Hello</fallback-sms-text>
<fallback-sms-link-expiration>2030-01-01T00:00:00+00:00</fallback-sms-link-expiration>
<slide duration="5"><image><url>http://a.example/a.jpg</url><text-area><text>Dear {{{{name}}}}</text><left>1</left>
<top>2</top><width>300</width><height>40</height><font>sans-bold</font><font-size>20</font-size><color>#FF8800</color>
<align>center</align><vertical-align>middle</vertical-align></text-area></image><message-text>One</message-text></slide>
<slide><audio><url>http://a.example/a.mp3</url></audio><duration>60</duration></slide>
<slide><vcard><url>http://a.example/a.vcf</url></vcard></slide></request>"""
SKYCORE_SAVE = f"""<?xml version="1.0" encoding="UTF-8"?>
<REQUEST><ACTION>saveMMS</ACTION><API_KEY>{KEY}</API_KEY><NAME>Spring</NAME><SUBJECT>Spring</SUBJECT>
<SLIDE DURATION="5"><IMAGE><URL>http://a.example/a.jpg</URL></IMAGE><TEXT><![CDATA[a < b]]></TEXT></SLIDE></REQUEST>"""
SAVE_JSON = {
    "action": "saveMMS", "name": "Spring", "message-subject": "Olá", "slide": [
        {"message-text": "One", "duration": 5, "image": {"url": "http://a.example/a.jpg", "text-areas": [
            {"text": "Dear {{name}}", "left": 1, "top": 2, "width": 300, "height": 40, "font-size": 20}]}},
        {"contact": {"url": "http://a.example/a.vcf"}},
    ],
}  # fmt: skip
LIST = f"""<request><action>getMMSTemplates</action><api-key>{KEY}</api-key><start-date>2026-11-22T00:00:00</start-date>
<page-number>1</page-number><items-per-page>100</items-per-page><since>2026-11-22T12:00:00+01:00</since></request>"""

VALUES = (
    b"", b"0", b"-1", b"1", b"1e9", b"9" * 20, b"9" * 5000, b"1.5", b"\xd9\xa3", b"true", b"TRUE", b"yes", b"null",
    b"NaN", b"[]", b"{}", b"#FFffff", b"{{a}}", b"{{a|b}}", b"{{" * 50, b"}}", b"{{ a |", b"x" * 201, b"y" * 5001,
    b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"2030-13-40", b"2030-W01-1", b"14044790000",
    b"+1 (404) 479 0000", b"1404;1405", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x00", b"\x1b", b"\x7f", b"\x85",
    "\u2028\u202e\ufeff\u0300".encode(), "😀".encode(), b"\xed\xa0\x80", b"\xc0\x80", b"\r\n", b"\r\nX: 1\r\n\r\n",
    b"%00", b"%0d%0a", b"%ff", b"%u0041", b"../../etc/passwd", b"'\"--", b"${a}", b"\\u0000", b"\\ud800", b"\\", b"\"",
)  # fmt: skip
XML = (
    b"<", b">", b"&", b"</", b"/>", b"<a>", b"</a>", b"<a/>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x", b"?>",
    b'<?xml version="1.0"?>', b'<?xml version="1.1" encoding="UTF-7"?>', b'<?xml version="1.0" encoding="UTF-16"?>',
    b'<?xml version="1.0" encoding="cp037"?>', b"<!DOCTYPE a>", b'<!DOCTYPE a [<!ENTITY b "c">]>', b"&b;", b"&lt;",
    b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]>', b"&#0;", b"&#xD800;", b"&#x110000;", b"&#13;",
    b' xmlns="urn:a"', b' xmlns:m="urn:m"', b"<m:a/>", b' a="1"', b' a="1" a="2"', b"+ADw-a+AD4-", b"<a><a><a><a><a>",
)  # fmt: skip
NAMES = tuple(
    sorted({name.encode() for names in PARAMETERS.values() for name in names} | {b"request", b"REQUEST", b"data_"})
)
ELEMENTS = tuple(b"<%b>" % name for name in NAMES) + tuple(b"</%b>" % name for name in NAMES)
JSON_FRAGMENTS = (
    *(b',"%b":' % name.encode() for name in sorted(SINCH_JSON.known_names)),
    b"[[",
    b"]]",
    b'{"a":',
    b'"',
    b",",
)
QUERY_FRAGMENTS = (
    *(b"&%b=" % name.encode() for name in sorted(SKYCORE_GET.known_names)),
    b"&customtext_1=",
    b"&data_a=",
    b"%",
)
MULTIPART = (
    '--b\r\nContent-Disposition: form-data; name="xml"\r\n\r\n' + SKYCORE + "\r\n--b\r\n"
    'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n'
    "Content-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--b--\r\n"
)

CUSTOMERS = Corpus(
    seeds=(
        *(FuzzInput("xml", "text/xml", text.encode()) for text in (SEED, SINCH, SKYCORE, SAVE, SKYCORE_SAVE, LIST)),
        FuzzInput("xml", "text/xml; charset=utf-16", SEED.encode("utf-16")),
        FuzzInput("xml", "application/x-www-form-urlencoded", urlencode({"XML": SKYCORE}).encode()),
        FuzzInput("xml", "multipart/form-data; boundary=b", MULTIPART.encode()),
        *(FuzzInput("json", "application/json", json.dumps(body, indent=1).encode()) for body in (JSON, SAVE_JSON)),
        FuzzInput("pairs", "", urlencode(PAIRS).encode()),
    ),
    values=(*VALUES, *NAMES),
    pieces=(
        *VALUES, *XML, *NAMES, *ELEMENTS, *JSON_FRAGMENTS, *QUERY_FRAGMENTS, b"\r\n--b", b"--b--",
        b"; name*=klingon''xml",
    ),
    content_types=(
        "", "text/xml", "nonsense", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b",
        "multipart/form-data", "multipart/form-data; boundary=", "text/xml; charset=klingon",
        "text/xml; charset*=klingon''x", "multipart/form-data; boundary*=utf-8''b", "multipart/form-data; boundary*0=b",
    ),
)  # fmt: skip

MM7_NAMES = (
    "Envelope", "Header", "Body", "TransactionID", "MessageID", "MessageId", "MMStatus", "StatusText", "StatusCode",
    "Recipient", "Recipients", "To", "Number", "Sender", "SenderAddress", "Date", "TimeStamp", "UACapabilities",
    "DeliveryReportReq", "DeliverReq", "ReadReplyReq", "SubmitRsp", "RSErrorRsp", "Fault", "faultcode", "faultstring",
    "detail", "Details", "Status", "MM7Version", "LinkedID", "Subject",
)  # fmt: skip
MM7_VALUES = (
    *VALUES, b"Retrieved", b"Expired", b"1000", b"6102", b"2007: bad", b"tel:+1404/TYPE=PLMN@a", b"env:Server",
    b"urn:x", b"http://[", b"a b", b"Default",
)  # fmt: skip
MM7_PIECES = (
    *MM7_VALUES, *XML, *(f"<{name}>".encode() for name in MM7_NAMES), *(f"</{name}>".encode() for name in MM7_NAMES),
    b"\r\n--b\r\n", b"--b--",
    b"\r\n\r\n", b"Content-Type: text/xml\r\n", b"Content-Transfer-Encoding: base64\r\n", b"Content-ID: <a>\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n", b" folded\r\n", b"=", b"=3", b"=\r\n",
)  # fmt: skip
CONTENT_TYPES = (
    "text/xml; charset=utf-8", "text/xml; charset=euc-kr", "multipart/related; boundary=b; start=a", "", "text/xml",
    'multipart/related; boundary="mm7 b"; type="text/xml"; start="<a>"', "multipart/related; boundary=", "; ; =",
    "multipart/related; boundary=-", "application/soap+xml; charset=utf-16", "multipart/related; boundary=\xff",
)  # fmt: skip


def _samples() -> list[FuzzInput]:
    paths = sorted(SAMPLES.glob("*.*"))
    return [
        FuzzInput(parser, _content_type(path), path.read_bytes()) for path in paths for parser in ("request", "answer")
    ]


def _content_type(path: Path) -> str:
    return "text/xml; charset=utf-8" if path.suffix == ".xml" else "multipart/related; boundary=b"


MM7 = Corpus(seeds=_samples(), values=MM7_VALUES, pieces=MM7_PIECES, content_types=CONTENT_TYPES)

# The handset element of a delivery report, in the notations of different carriers.
HANDSETS = Corpus(
    seeds=tuple(
        FuzzInput("report", "text/xml; charset=utf-8", capabilities.encode())
        for capabilities in (
            f'<UACapabilities UAProf="{IPHONE}"/>',
            f'<mm7:UACapabilities mm7:UAProf="{IPHONE}" TimeStamp="2026-11-22T12:00:00Z"/>',
            f"<UACapabilities>{IPHONE}</UACapabilities>",
            f"<UACapabilities><UAProf>{IPHONE}</UAProf><TimeStamp>1</TimeStamp></UACapabilities>",
            '<UACapabilities UAProf="Default"/>',
            '<UACapabilities UAProf=""/>',
            '<UACapabilities UAProf="http://wap.samsungmobile.com/uaprof/SM-G973U.xml?a=1&amp;b=2"/>',
            "<uacapabilities><![CDATA[Nokia6230i/2.0 (03.88) Profile/MIDP-2.0]]></uacapabilities>",
            '<UACapabilities UAProf="Handy &#252;ber &#x65E5;&#x672C;"/>',
        )
    ),
    values=(
        *VALUES, b"default", b"UNKNOWN", b" none ", b"http://", b"http://a/" + b"x" * 500, "é".encode() * 250,
        b" \t\r\n", b"&#9;", b"&#xFFFE;", b"&#160;", b"&#0;", b"&#xD83D;&#xDE00;", b"a" * 501,
    ),
    pieces=(*VALUES, *XML, b"UAProf", b"uaprof=", b"UACapabilities", b"<UAProf>", b"</UAProf>"),
    content_types=CONTENT_TYPES,
)  # fmt: skip
