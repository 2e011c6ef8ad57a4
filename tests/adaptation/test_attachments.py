"""Tests of the choice of audio, video and objects in a message's plan."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mms.adaptation.content import Content, Kind, SlideContent, Source, Variant
from mms.adaptation.plan import CannotFit, Keep, Plan, plan
from tests.adaptation.pictures import limits, photo

AAC, AMR = Variant("audio-aac", "audio/mp4", 80_000), Variant("audio-amr", "audio/amr", 15_000)
SONG = Source("a" * 64, Kind.AUDIO, "audio/mpeg", 160_000, variants=(AAC, AMR))
FILM = Source("b" * 64, Kind.VIDEO, "video/mp4", 9_000_000, variants=(Variant("video-3gp", "video/3gpp", 90_000),))
CARD = Source("c" * 64, Kind.OBJECT, "text/x-vcard", 300)
SUPPORTED = frozenset({"image/jpeg", "audio/mpeg", "audio/mp4", "audio/amr", "video/3gpp", "text/x-vcard"})


def one_slide(*media: Source, text: str = "") -> Content:
    return Content("", (SlideContent(5, text, media),))


def plan_for(content: Content, **overrides: Any) -> Plan:
    result = plan(content, limits(mime_types=SUPPORTED, **overrides))
    assert isinstance(result, Plan), result
    return result


def variants(result: Plan) -> list[Variant]:
    return [passed.variant for slide in result.slides for passed in slide.attachments]


@pytest.mark.parametrize(
    ("message_bytes", "variant", "changes"),
    [
        (300_000, Variant("", "audio/mpeg", 160_000), ()),
        (120_000, AAC, ("slide 1: the audio is sent as audio/mp4 of 80,000 bytes",)),
        (50_000, AMR, ("slide 1: the audio is sent as audio/amr of 15,000 bytes",)),
    ],
)
def test_audio_is_sent_in_the_best_variant_that_fits(
    message_bytes: int, variant: Variant, changes: tuple[str, ...]
) -> None:
    result = plan_for(one_slide(SONG), message_bytes=message_bytes)
    assert (variants(result), result.changes) == ([variant], changes)


def test_original_whose_type_implies_no_codec_is_not_sent() -> None:
    result = plan(one_slide(FILM, text="Look"), limits(mime_types=frozenset({"image/jpeg", "video/mp4"})))
    assert isinstance(result, Plan)
    assert variants(result) == []
    assert result.changes == ("slide 1: the video is left out: the handset does not support video/3gpp",)


def test_object_is_sent_under_the_type_alias_of_the_handset() -> None:
    result = plan(one_slide(CARD), limits(mime_types=frozenset({"text/vcard"})))
    assert isinstance(result, Plan)
    assert variants(result) == [Variant("", "text/vcard", 300)]


def test_oversized_video_is_left_out_and_the_text_is_kept() -> None:
    result = plan_for(one_slide(FILM, text="Look"), message_bytes=60_000)
    assert (variants(result), [slide.text for slide in result.slides]) == ([], ["Look"])
    assert result.changes == ("slide 1: the video is left out: its 90,000 bytes do not fit into 60,000",)


@pytest.mark.parametrize(
    ("content", "overrides", "reason"),
    [
        (one_slide(FILM), {"message_bytes": 60_000}, "no audio, video or object fits into 60,000 bytes"),
        (one_slide(FILM), {"mime_types": frozenset()}, "the message has nothing that the handset can show"),
    ],
)
def test_message_without_sendable_content_cannot_fit(content: Content, overrides: dict[str, Any], reason: str) -> None:
    assert plan(content, limits(**{"mime_types": SUPPORTED, **overrides})) == CannotFit(reason)


def test_picture_and_audio_share_the_message_bytes() -> None:
    result = plan_for(one_slide(photo(), SONG), message_bytes=200_000)
    assert variants(result) == [AAC]
    assert result.slides[0].images == (Keep(photo()),)


@given(
    st.lists(st.sampled_from([photo(), SONG, FILM, CARD]), min_size=1, max_size=8),
    st.integers(2_000, 400_000),
)
def test_plan_never_exceeds_the_message_bytes(media: list[Source], message_bytes: int) -> None:
    content = Content("", tuple(SlideContent(5, "Hi", (medium,)) for medium in media))
    result = plan(content, limits(mime_types=SUPPORTED, message_bytes=message_bytes))
    if isinstance(result, Plan):
        pictures = [image for slide in result.slides for image in slide.images]
        sizes = [i.source.size if isinstance(i, Keep) else i.recipe.max_bytes for i in pictures]
        assert sum(sizes) + sum(variant.size for variant in variants(result)) <= message_bytes
