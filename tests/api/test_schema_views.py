"""The schemas: served, valid, and with the same names as the code."""

import pytest
import yaml
from django.test import Client
from lxml import etree
from openapi_spec_validator import validate

from mms.api.dialects import SINCH, SINCH_JSON, SKYCORE, Dialect

XS = "{http://www.w3.org/2001/XMLSchema}"


def served(path: str, content_type: str) -> bytes:
    reply = Client().get(path)
    assert (reply.status_code, reply["Content-Type"]) == (200, f"{content_type}; charset=utf-8")
    return bytes(reply.content)


@pytest.mark.parametrize(("name", "dialect"), [("sinch", SINCH), ("skycore", SKYCORE)])
def test_xml_schema_declares_every_name_of_its_dialect(name: str, dialect: Dialect) -> None:
    document = etree.fromstring(served(f"/ep/v1/schema/{name}.xsd", "application/xml"))
    etree.XMLSchema(document)
    named = {element.get("name") for element in document.iter(f"{XS}element")}
    assert named == {*dialect.known_names, *dialect.answers.values(), dialect.request_root, dialect.response_root}


@pytest.mark.parametrize(
    ("name", "document", "valid"),
    [
        ("sinch", "<request><to>1</to><action>a</action></request>", True),
        ("sinch", "<request><ddm-force> True </ddm-force></request>", True),
        ("sinch", "<request><ddm-force>yes</ddm-force></request>", False),
        ("sinch", "<REQUEST><ACTION>a</ACTION></REQUEST>", False),
        ("skycore", "<REQUEST><DDMFORCE>Yes</DDMFORCE></REQUEST>", True),
        ("skycore", "<REQUEST><DDMFORCE>1</DDMFORCE></REQUEST>", False),
        ("skycore", "<REQUEST><SLIDE duration='5'><TEXT>a</TEXT></SLIDE><SLIDE/></REQUEST>", True),
        ("skycore", "<REQUEST><TO>1,2</TO></REQUEST>", False),
        ("skycore", "<REQUEST><PAGE_NUMBER>2</PAGE_NUMBER><SPID>0001570</SPID></REQUEST>", True),
        ("skycore", "<REQUEST><PAGE_NUMBER>two</PAGE_NUMBER></REQUEST>", False),
        ("skycore", "<REQUEST><DATA><a>1</a><b/></DATA></REQUEST>", True),
        ("sinch", "<response><status>Failure</status><error-code>E1</error-code></response>", False),
    ],
)
def test_xml_schema_distinguishes_valid_documents(name: str, document: str, valid: bool) -> None:
    schema = etree.XMLSchema(etree.fromstring(served(f"/ep/v1/schema/{name}.xsd", "application/xml")))
    assert schema.validate(etree.fromstring(document)) is valid


def test_openapi_is_valid_and_declares_every_name() -> None:
    description = yaml.safe_load(served("/ep/v2/openapi.yaml", "application/yaml"))
    validate(description)
    schemas = description["components"]["schemas"]
    parts = {name for part in ("Slide", "Picture", "TextArea") for name in schemas[part]["properties"]}
    texts = {"custom-message-text", "custom-slide"}
    assert {*schemas["Request"]["properties"], *parts, *texts, "x-api-key"} == SINCH_JSON.known_names


@pytest.mark.parametrize("path", ["/ep/v1/schema/other.xsd", "/ep/v1/schema/sinch", "/ep/v2/openapi.json"])
def test_unknown_schema_gets_404(path: str) -> None:
    assert Client().get(path).status_code == 404
