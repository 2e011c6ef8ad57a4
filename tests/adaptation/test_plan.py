from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mms.adaptation.content import Content, SlideContent, Source
from mms.adaptation.limits import Limits, fits
from mms.adaptation.plan import CannotFit, Keep, Plan, Recipe, Resize, plan
from tests.adaptation.pictures import content, limits, photo

LARGE = photo(size=4_000_000, width=4_000, height=3_000)


def plan_for(message: Content, within: Limits) -> Plan:
    result = plan(message, within)
    assert isinstance(result, Plan), result
    return result


def images(result: Plan) -> list[Keep | Resize]:
    return [image for slide in result.slides for image in slide.images]


def media_bytes(result: Plan) -> int:
    return sum(image.source.size if isinstance(image, Keep) else image.recipe.max_bytes for image in images(result))


def test_picture_within_all_limits_is_kept() -> None:
    result = plan_for(content(("Hi", photo())), limits())
    assert images(result) == [Keep(photo())]
    assert result.changes == ()
    assert [(slide.duration, slide.text) for slide in result.slides] == [(5, "Hi")]


@pytest.mark.parametrize(
    ("source", "within", "reason"),
    [
        (photo(mime_type="image/webp"), {}, "the handset does not support image/webp"),
        (LARGE, {}, "it is larger than 640 x 480 pixels"),
        (photo(orientation=6), {}, "it must be rotated upright"),
        (photo(cmyk=True), {}, "its colours are CMYK"),
        (photo(mime_type="image/gif", frames=9), {"animated_gif": False}, "the handset does not support animations"),
        (photo(size=299_999), {}, "its 299,999 bytes are more than its share of the message"),
        (photo(), {"message_bytes": 30_000}, "its 90,000 bytes are more than its share of the message"),
    ],
)
def test_picture_beyond_a_limit_is_reencoded_with_a_reason(source: Source, within: dict[str, Any], reason: str) -> None:
    result = plan_for(content(("", source)), limits(**within))
    (image,) = images(result)
    assert isinstance(image, Resize)
    assert (image.recipe.box_width, image.recipe.box_height) == (640, 480)
    assert image.recipe.mime_type == "image/jpeg"
    (change,) = result.changes
    assert change.startswith("slide 1: ")
    assert change.endswith(f": {reason}")


def test_change_lists_every_step_and_reason() -> None:
    portrait = photo(mime_type="image/heic", width=3_024, height=4_032, transparent=True)
    within = limits(message_bytes=1_000_000)
    assert plan_for(content(("Look", None), ("", portrait)), within).changes == (
        (
            "slide 2: the picture is re-encoded as JPEG of at most 480 x 640 pixels and 339,420 bytes, "
            "transparent parts white: the handset does not support image/heic, it is larger than 640 x 480 "
            "pixels"
        ),
    )


def test_animation_that_cannot_be_kept_becomes_a_still() -> None:
    animation = photo(mime_type="image/gif", frames=12, width=1_000)
    (change,) = plan_for(content(("", animation)), limits()).changes
    assert change.startswith("slide 1: the first frame of the animation is re-encoded as JPEG")


def test_animated_gif_within_all_limits_is_kept() -> None:
    animation = photo(mime_type="image/gif", frames=12)
    assert images(plan_for(content(("", animation)), limits())) == [Keep(animation)]


@pytest.mark.parametrize("size", [(640, 480), (480, 640)])
def test_image_box_applies_in_either_orientation(size: tuple[int, int]) -> None:
    source = photo(width=size[0], height=size[1])
    assert images(plan_for(content(("", source)), limits())) == [Keep(source)]


def test_recipe_ignores_limits_that_do_not_apply() -> None:
    small = photo(mime_type="image/png", width=100, height=80)
    recipes = {
        image.recipe
        for within in (
            limits(),
            limits(image_width=1_600, image_height=1_200),
            limits(message_bytes=1_000_000),
        )
        for image in images(plan_for(content(("", small)), within))
        if isinstance(image, Resize)
    }
    assert recipes == {Recipe(100, 80, 10_300, "image/jpeg")}


def test_slightly_different_texts_share_renditions() -> None:
    texts = ["Dear Al", "Dear Bartholomew", "Dear Bill Smith, your PIN is 13579"]
    slides = [content((text, LARGE), ("", LARGE), ("", LARGE)) for text in texts]
    assert len({tuple(images(plan_for(message, limits()))) for message in slides}) == 1


def test_recipe_key_contains_box_bytes_and_format() -> None:
    assert Recipe(640, 480, 98_304, "image/jpeg").key == "640x480-98304-jpeg"
    assert Recipe(640, 480, 98_304, "image/png").key == "640x480-98304-png"


def test_large_picture_does_not_starve_a_small_one() -> None:
    small, large = photo(size=60_000), photo(size=290_000)
    kept, made = images(plan_for(content(("", small), ("", large)), limits()))
    assert kept == Keep(small)
    assert isinstance(made, Resize)
    assert made.recipe.max_bytes > 200_000


def test_bytes_freed_by_the_largest_picture_keep_the_others() -> None:
    # Equal shares would be 95,000 bytes; re-encoding the largest leaves more for the others.
    sources = [photo(size=size, width=320, height=240) for size in (280_000, 120_000, 100_000)]
    largest, *others = images(plan_for(content(*(("", source) for source in sources)), limits()))
    assert isinstance(largest, Resize)
    assert others == [Keep(source) for source in sources[1:]]


def test_surplus_bytes_go_to_pictures_that_can_use_them() -> None:
    (alone,) = images(plan_for(content(("", LARGE)), limits()))
    first, second = images(plan_for(content(("", LARGE), ("", photo(size=1_000))), limits()))
    assert isinstance(alone, Resize)
    assert isinstance(first, Resize)
    assert second == Keep(photo(size=1_000))
    assert first.recipe.max_bytes >= 280_000


@pytest.mark.parametrize(
    ("message", "within", "reason"),
    [
        (content(("Hi", photo())), {"takes_mms": False}, "the handset does not support MMS"),
        (
            content(*[("x" * 1_750, LARGE)] * 8),
            {"message_bytes": 30_000},
            "8 pictures and 14,000 bytes of text do not fit into 30,000 bytes",
        ),
        (
            content(("ü" * 5_000, None)),
            {"message_bytes": 9_000},
            "10,000 bytes of text do not fit into 9,000 bytes",
        ),
        (content(("", LARGE)), {"message_bytes": 2_000}, "1 picture does not fit into 2,000 bytes"),
        (
            content(("", photo())),
            {"mime_types": frozenset({"image/vnd.wap.wbmp"})},
            "the message has nothing that the handset can show",
        ),
    ],
)
def test_content_that_cannot_fit_gets_a_reason(message: Content, within: dict[str, Any], reason: str) -> None:
    assert plan(message, limits(**within)) == CannotFit(reason)


def test_pictures_are_left_out_if_handset_supports_none() -> None:
    message = content(("First", photo()), ("", photo()), ("Third", None))
    result = plan_for(message, limits(mime_types=frozenset({"text/plain"})))
    assert [(slide.text, slide.images) for slide in result.slides] == [("First", ()), ("Third", ())]
    assert result.changes == (
        "slide 1: the picture is left out: the handset does not support JPEG, PNG or GIF",
        "slide 2: the picture is left out: the handset does not support JPEG, PNG or GIF",
    )


@pytest.mark.parametrize(
    ("mime_types", "target"),
    [
        ({"image/png", "image/jpeg"}, "image/jpeg"),
        ({"image/gif", "image/png"}, "image/png"),
        ({"image/gif"}, "image/gif"),
    ],
)
def test_picture_is_reencoded_in_the_best_supported_format(mime_types: set[str], target: str) -> None:
    (image,) = images(plan_for(content(("", LARGE)), limits(mime_types=frozenset(mime_types))))
    assert isinstance(image, Resize)
    assert image.recipe.mime_type == target


def test_replaced_characters_are_reported() -> None:
    result = plan_for(content(("plain", None), ("50 €\nonly", None)), limits(charset="iso-8859-1"))
    assert result.changes == ("slide 2: characters missing in iso-8859-1 are replaced",)


def test_texts_and_smil_are_budgeted_before_pictures() -> None:
    without_text = plan_for(content(("", LARGE)), limits(message_bytes=100_000, smil=False))
    with_text = plan_for(content(("x" * 5_000, LARGE)), limits(message_bytes=100_000))
    assert media_bytes(without_text) <= 100_000
    assert media_bytes(with_text) <= 95_000


sources = st.builds(
    photo,
    size=st.integers(100, 500_000),
    width=st.integers(1, 5_000),
    height=st.integers(1, 5_000),
    mime_type=st.sampled_from(["image/jpeg", "image/png", "image/gif"]),
    orientation=st.integers(1, 8),
    frames=st.integers(1, 3),
)
slides = st.lists(st.tuples(st.text("aé€\n", max_size=200), st.none() | sources), min_size=1, max_size=8)
limit_sets = st.builds(
    limits,
    message_bytes=st.integers(0, 700_000),
    image_width=st.integers(1, 2_000),
    image_height=st.integers(1, 2_000),
    animated_gif=st.booleans(),
    charset=st.sampled_from(["utf-8", "us-ascii"]),
)


@given(slides, limit_sets)
def test_plan_never_exceeds_its_limits(parts: list[tuple[str, Source | None]], within: Limits) -> None:
    result = plan(content(*parts), within)
    if isinstance(result, CannotFit):
        assert result.reason
        return
    texts = sum(len(slide.text.encode(within.charset, "ignore")) for slide in result.slides)
    assert texts + media_bytes(result) < within.message_bytes
    for image in images(result):
        if isinstance(image, Keep):
            assert fits(image.source.width, image.source.height, within.image_width, within.image_height)
            assert image.source.mime_type in within.mime_types
            assert image.source.orientation == 1
        else:
            recipe = image.recipe
            assert fits(recipe.box_width, recipe.box_height, within.image_width, within.image_height)
            assert recipe.mime_type in within.mime_types


@given(slides, limit_sets)
def test_more_bytes_never_make_content_unfit(parts: list[tuple[str, Source | None]], within: Limits) -> None:
    if isinstance(plan(content(*parts), within), Plan):
        roomier = replace(within, message_bytes=within.message_bytes * 2)
        assert isinstance(plan(content(*parts), roomier), Plan)


def test_slides_keep_their_durations() -> None:
    message = Content("", (SlideContent(2.5, "a", ()), SlideContent(30, "b", ())))
    assert [slide.duration for slide in plan_for(message, limits()).slides] == [2.5, 30]
