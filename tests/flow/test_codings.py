"""A picture that an old handset cannot decode reaches it made anew; one that decodes it gets the original."""

import re
from io import BytesIO
from types import SimpleNamespace

import pytest
from PIL import Image

from handsets.models import Profile
from mms.adaptation.coding import CODINGS
from mms.models import Medium
from tests.adaptation.pictures import encode_picture, make_photo
from tests.api.documents import SAVE, SEND, file
from tests.flow.media import CallApi
from tests.scripted import ScriptedServer
from tests.wire import RunWorkers

PROGRESSIVE = encode_picture(make_photo(200, 150), "JPEG", progressive=True)


@pytest.mark.parametrize(("decodes", "untouched"), [([], False), (list(CODINGS), True)])
def test_progressive_jpeg_is_sent_only_where_decoded(
    decodes: list[str],
    untouched: bool,
    records: SimpleNamespace,
    call_api: CallApi,
    run_workers: RunWorkers,
    mmsc: ScriptedServer,
    web: ScriptedServer,
) -> None:
    Profile.objects.filter(generic=True).update(decodes=decodes)
    web.answer_next(file(PROGRESSIVE, "image/jpeg"))
    slide = f"<image><url>{web.url}/p.jpg</url></image>"
    saved = call_api({**SAVE, "slide": slide})
    (mms_id,) = re.findall(rb"<mms-id>(\d+)<", saved)
    assert Medium.objects.latest("pk").coding == ["progressive JPEG"]
    call_api({**SEND, "mms-id": mms_id.decode()})
    run_workers()
    (sent,) = mmsc.received
    assert (PROGRESSIVE in sent.body) == untouched
    start = sent.body.index(b"\xff\xd8\xff")
    assert bool(Image.open(BytesIO(sent.body[start:])).info.get("progressive")) == untouched
