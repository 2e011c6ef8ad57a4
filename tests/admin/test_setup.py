"""Accounts, keys, carriers, handsets and content as operators set them up and see them."""

import io
import re
from types import SimpleNamespace

import pytest
from django.forms import BoundField, NullBooleanField, NullBooleanSelect
from django.test import Client
from django.urls import reverse
from PIL import Image

from base.stale_cache import Freshness
from billing import keys
from billing.models import ApiKey
from handsets import profiles
from handsets.models import CachedHandset, Handset, Profile
from mms.adaptation.content import Align, Area, Font, VerticalAlign
from mms.models import Carrier, Slide
from tests.admin.story import KEY
from tests.wire import IPHONE, photograph

KEYS = reverse("admin:billing_apikey_changelist")


def fields(console: Client, address: str) -> dict[str, str]:
    """What a browser would post if the operator changed nothing: every field of the form and of its inlines."""
    context = console.get(address).context
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    bounds = [bound for form in forms for bound in form]
    return {bound.html_name: _posted(bound) for bound in bounds if bound.value() is not False}


def save(console: Client, address: str, form: dict[str, str]) -> None:
    """Posts a form that is to be taken."""
    answer = console.post(address, form)
    assert answer.status_code == 302, answer.context["errors"]


def _posted(bound: BoundField) -> str:
    if isinstance(bound.field, NullBooleanField):
        return str(NullBooleanSelect().format_value(bound.value()))
    value = bound.value()
    return "on" if value is True else "" if value is None else str(value)


def valid(key: str) -> bool:
    return keys.find(key, Freshness.CURRENT) is not None


def test_a_key_is_shown_once_and_works(console: Client, world: SimpleNamespace) -> None:
    form = reverse("admin:billing_apikey_add")
    assert "Issue an API key" in console.get(account_page(world)).content.decode()
    answer = console.post(form, {"account": world.account.pk, "label": "shop"}, follow=True)
    (key,) = re.findall(r"<strong>(\w{32})</strong>", answer.content.decode())
    assert valid(key)
    issued = ApiKey.objects.get(label="shop")
    for address in (KEYS, reverse("admin:billing_apikey_change", args=[issued.pk]), account_page(world)):
        page = console.get(address).content.decode()
        assert key not in page
        assert issued.digest not in page
        assert issued.prefix in page


def account_page(world: SimpleNamespace) -> str:
    return reverse("admin:billing_account_change", args=[world.account.pk])


def test_the_button_of_an_account_leads_to_a_key_of_that_account(console: Client, world: SimpleNamespace) -> None:
    form = console.get(reverse("admin:billing_account_issue_key", args=[world.account.pk]), follow=True)
    assert form.context["adminform"].form["account"].value() == str(world.account.pk)


def test_a_revoked_key_is_worth_nothing_at_once(console: Client, world: SimpleNamespace) -> None:
    assert valid(KEY)
    row = ApiKey.objects.get(digest=keys.digest(KEY))
    console.post(KEYS, {"action": "revoke", "_selected_action": [row.pk], "index": 0})
    assert not valid(KEY)
    row.refresh_from_db()
    revoked = row.revoked_at
    console.post(KEYS, {"action": "revoke", "_selected_action": [row.pk], "index": 0})
    row.refresh_from_db()
    assert row.revoked_at == revoked


def test_the_label_of_a_key_is_all_that_changes(console: Client, world: SimpleNamespace) -> None:
    row = ApiKey.objects.get()
    console.post(reverse("admin:billing_apikey_change", args=[row.pk]), {"label": "new", "prefix": "x", "digest": "y"})
    assert ApiKey.objects.values_list("label", "digest").get() == ("new", keys.digest(KEY))


def test_an_account_is_changed_with_its_senders_and_services(console: Client, world: SimpleNamespace) -> None:
    form = fields(console, account_page(world)) | {"name": "Renamed", "senders-0-address": "28555"}
    save(console, account_page(world), form)
    world.account.refresh_from_db()
    assert (world.account.name, world.account.senders.get().address) == ("Renamed", "28555")
    assert valid(KEY)


def test_a_key_is_issued_for_chosen_actions_and_can_be_changed(console: Client, world: SimpleNamespace) -> None:
    form = {"account": world.account.pk, "label": "shop", "allowed_actions": ["savemms"]}
    console.post(reverse("admin:billing_apikey_add"), form)
    issued = ApiKey.objects.get(label="shop")
    assert (issued.may("savemms"), issued.may("sendsavedmms")) == (True, False)
    address = reverse("admin:billing_apikey_change", args=[issued.pk])
    console.post(address, {"label": "shop", "allowed_actions": ["savemms", "sendsavedmms"]})
    issued.refresh_from_db()
    assert issued.may("sendsavedmms")
    console.post(address, {"label": "shop"})
    issued.refresh_from_db()
    assert issued.may("deletemmsid")


def test_limits_of_an_account_are_set(console: Client, world: SimpleNamespace) -> None:
    limits = {"allowed_networks": "203.0.113.0/24,2001:db8::1", "throughput": '{"sendSavedMMS": 20}'}
    save(console, account_page(world), fields(console, account_page(world)) | limits | {"minimum_interval": "100"})
    account = type(world.account).objects.get()
    assert account.allowed_networks == ["203.0.113.0/24", "2001:db8::1"]
    assert (account.minimum_interval, account.calls_per_second("sendsavedmms")) == (100, 20)
    assert account.calls_per_second("savemms") is None


@pytest.mark.parametrize("nothing", ["", "[]"])
def test_an_account_without_a_throughput_has_no_limit_however_that_is_written(
    console: Client, world: SimpleNamespace, nothing: str
) -> None:
    save(console, account_page(world), fields(console, account_page(world)) | {"throughput": nothing})
    assert type(world.account).objects.get().calls_per_second("sendsavedmms") is None


@pytest.mark.parametrize(
    ("field", "typed", "error"),
    [
        ("allowed_networks", "203.0.113.0/24,203.0.113.9/24", "203.0.113.9/24 is not a network in CIDR notation"),
        ("allowed_networks", "everyone", "everyone is not a network in CIDR notation"),
        ("throughput", "[20]", "Enter a JSON object of action and calls per second"),
        ("throughput", '{"sendEverything": 20}', "Unknown action sendEverything. The actions are: sendSavedMMS, "),
        ("throughput", '{"saveMMS": 1, "savemms": 2}', "is given more than once"),
        ("throughput", '{"saveMMS": 0}', "saveMMS: enter a whole number of calls per second from 1"),
        ("throughput", '{"saveMMS": true}', "saveMMS: enter a whole number of calls per second from 1"),
        ("throughput", '{"saveMMS": 0.5}', "saveMMS: enter a whole number of calls per second from 1"),
        ("throughput", '{"saveMMS": 1000000}', "saveMMS: enter a whole number of calls per second from 1 to 100000"),
        ("minimum_interval", "-1", "greater than or equal to 0"),
    ],
)
def test_limits_that_make_no_sense_are_refused(
    console: Client, world: SimpleNamespace, field: str, typed: str, error: str
) -> None:
    answer = console.post(account_page(world), fields(console, account_page(world)) | {field: typed})
    assert error in answer.context["adminform"].form.errors[field].as_text()


@pytest.mark.parametrize(
    ("user", "typed", "stored"),
    [("us", "", "mmsc-password"), ("us", "new", "new"), ("them", "", "mmsc-password"), ("", "", ""), ("", "new", "")],
)
def test_a_password_is_kept_until_another_is_typed(
    console: Client, world: SimpleNamespace, user: str, typed: str, stored: str
) -> None:
    address = reverse("admin:mms_carrier_change", args=[world.carrier.pk])
    page = console.get(address).content.decode()
    assert "mmsc-password" not in page
    assert "inbound-password" not in page
    form = fields(console, address) | {"mmsc_username": user, "mmsc_password": typed, "inbound_password": ""}
    save(console, address, form)
    world.carrier.refresh_from_db()
    assert (world.carrier.mmsc_password, world.carrier.inbound_password) == (stored, "inbound-password")


@pytest.mark.parametrize(
    ("field", "typed", "error"),
    [
        ("code_overrides", '{"3001": "sometimes"}', "3001: a code is digits, its outcome one of submitted, "),
        ("code_overrides", '{"busy": "transient"}', "busy: a code is digits"),
        ("code_overrides", "[1]", "A JSON object from code to outcome"),
        ("status_overrides", '{"4": "Eaten"}', "4: its meaning is one of Expired, Retrieved, "),
        ("status_overrides", "[1]", "A JSON object from MMStatus to its meaning"),
        ("inbound_networks", "10.0.0.0/8,10.0.0.1/8", "10.0.0.1/8 is no network in CIDR notation"),
        ("inbound_networks", "everyone", "everyone is no network in CIDR notation"),
        ("prefixes-0-prefix", "+1", "Enter digits only."),
    ],
)
def test_a_carrier_that_could_not_work_is_refused(
    console: Client, world: SimpleNamespace, field: str, typed: str, error: str
) -> None:
    address = reverse("admin:mms_carrier_change", args=[world.carrier.pk])
    answer = console.post(address, fields(console, address) | {field: typed})
    assert answer.status_code == 200
    assert error in answer.content.decode()


def test_a_carrier_is_added_with_its_prefixes(console: Client, world: SimpleNamespace) -> None:
    address = reverse("admin:mms_carrier_add")
    typed = {"name": "Other", "slug": "other", "operator_id": "7", "vaspid": "v", "vasid": "v"}
    prefix = {"prefixes-TOTAL_FORMS": "1", "prefixes-0-prefix": "44"}
    save(console, address, fields(console, address) | typed | prefix)
    assert Carrier.objects.get(slug="other").prefixes.get().prefix == "44"


def profile_page(profile: Profile) -> str:
    return reverse("admin:handsets_profile_change", args=[profile.pk])


def test_a_profile_shows_what_it_inherits(console: Client, world: SimpleNamespace) -> None:
    page = " ".join(re.sub(r"<[^>]+>", " ", console.get(profile_page(world.profile)).content.decode()).split())
    assert "screen width: 320" in page
    assert "screen height: 480 inherited" in page
    assert "takes MMS: yes SMIL" not in page


def test_an_attribute_left_empty_is_inherited(console: Client, world: SimpleNamespace) -> None:
    form = fields(console, profile_page(world.profile))
    save(console, profile_page(world.profile), form | {"screen_width": ""})
    world.profile.refresh_from_db()
    assert (world.profile.screen_width, world.profile.mime_types, world.profile.charset) == (None, None, None)
    assert profiles.attributes(Handset(profile=world.profile)).screen_width == 640


def test_profiles_do_not_inherit_in_a_circle(console: Client, world: SimpleNamespace) -> None:
    child = Profile.objects.create(name="child", parent=world.profile)
    form = fields(console, profile_page(world.profile))
    answer = console.post(profile_page(world.profile), form | {"parent": str(child.pk)})
    assert "child already inherits from this profile." in answer.content.decode()


def test_the_generic_profile_stays_whole(console: Client, world: SimpleNamespace) -> None:
    generic = Profile.objects.get(generic=True)
    form = fields(console, profile_page(generic))
    save(console, profile_page(generic), form)
    for field in ("message_bytes", "mime_types", "charset"):
        answer = console.post(profile_page(generic), form | {field: ""})
        assert "Required: the generic profile must define every attribute." in answer.content.decode()
    assert console.post(f"/admin/handsets/profile/{generic.pk}/delete/", {"post": "yes"}).status_code == 403


def test_handsets_are_listed_with_their_cached_numbers(console: Client, world: SimpleNamespace) -> None:
    answer = console.get(reverse("admin:handsets_handset_changelist"), {"q": "iphone"})
    (handset,) = answer.context["cl"].result_list
    assert (handset.identity, handset.cached_numbers) == (IPHONE, 1)


def test_a_number_is_looked_up_in_the_handset_cache_and_forgotten(console: Client, world: SimpleNamespace) -> None:
    cache = reverse("admin:handsets_cachedhandset_changelist")
    (entry,) = console.get(cache, {"q": "1404"}).context["cl"].result_list
    assert entry.number == "14044790000"
    assert list(console.get(cache, {"q": "404"}).context["cl"].result_list) == []
    console.post(cache, {"action": "delete_selected", "_selected_action": [entry.pk], "index": 0, "post": "yes"})
    assert not CachedHandset.objects.filter(pk=entry.pk).exists()


@pytest.mark.parametrize("name", ["medium", "rendition"])
def test_a_stored_file_is_streamed_as_it_is_and_may_do_nothing(
    console: Client, world: SimpleNamespace, name: str
) -> None:
    answer = console.get(reverse(f"admin:mms_{name}_file", args=[getattr(world, name).pk]))
    assert b"".join(answer) == (photograph() if name == "medium" else photograph(320, 240))
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["medium", "rendition"])
def test_a_thumbnail_is_small(console: Client, world: SimpleNamespace, name: str) -> None:
    answer = console.get(reverse(f"admin:mms_{name}_thumbnail", args=[getattr(world, name).pk]))
    assert Image.open(io.BytesIO(answer.content)).size == (240, 180)


def test_a_file_that_is_no_picture_has_no_thumbnail(console: Client, world: SimpleNamespace) -> None:
    with world.medium.file.open("wb") as file:
        file.write(b"no picture")
    answer = console.get(reverse("admin:mms_medium_thumbnail", args=[world.medium.pk]))
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/plain")


def test_a_template_shows_its_slides_and_media(console: Client, world: SimpleNamespace) -> None:
    answer = console.get(reverse("admin:mms_template_change", args=[world.template.pk]))
    (slides,) = answer.context["tables"]
    assert [row.cols[:3] for row in slides.rows] == [(1, 10, "Dear {{firstname}}"), (2, 5, "Bye")]
    assert reverse("admin:mms_medium_thumbnail", args=[world.medium.pk]) in answer.content.decode()


def test_a_template_leads_to_its_slides_and_their_texts_on_pictures(console: Client, world: SimpleNamespace) -> None:
    slide = world.template.slides.get(position=1)
    page = console.get(reverse("admin:mms_template_change", args=[world.template.pk])).content.decode()
    assert f'<a class="text-link" href="{slide_page(slide)}"><span class="whitespace-nowrap">0 texts</span></a>' in page


def test_slides_are_found_by_their_template(console: Client, world: SimpleNamespace) -> None:
    slides = reverse("admin:mms_slide_changelist")
    found = [
        list(console.get(slides, {"q": term}).context["cl"].result_list)
        for term in ("", str(world.template.pk), str(world.template.pk + 1), "spring")
    ]
    assert [len(rows) for rows in found] == [2, 2, 0, 0]


def slide_page(slide: Slide) -> str:
    return reverse("admin:mms_slide_change", args=[slide.pk])


def area(**changes: str) -> dict[str, str]:
    """A form with one text more than the slide has, in the inline's first empty place."""
    values = {"text": "Dear {{name}}", "left": "10", "top": "20", "width": "700", "height": "90", "font_size": "60"}
    looks = {"font": "sans-bold", "color": "#ffffff", "align": "center", "vertical_align": "middle"}
    return {f"areas-0-{name}": text for name, text in {**values, **looks, **changes}.items()}


def test_texts_are_set_on_a_picture_and_shown_on_it(console: Client, world: SimpleNamespace) -> None:
    slide = world.template.slides.get(position=1)
    picture = reverse("admin:mms_slide_picture", args=[slide.pk])
    plain = console.get(picture)
    save(console, slide_page(slide), fields(console, slide_page(slide)) | area() | {"areas-TOTAL_FORMS": "1"})
    (row,) = slide.areas.all()
    assert row.area() == Area(
        "Dear {{name}}", 10, 20, 700, 90, 60, Font.SANS_BOLD, "#ffffff", Align.CENTER, VerticalAlign.MIDDLE
    )
    lettered = console.get(picture)
    assert (lettered["Content-Type"], Image.open(io.BytesIO(lettered.content)).size) == ("image/webp", (800, 600))
    assert lettered.content != plain.content
    form = fields(console, slide_page(slide)) | {"areas-0-text": "Hello", "text": "not the operator's to change"}
    save(console, slide_page(slide), form)
    row.refresh_from_db()
    assert (row.text, slide.text) == ("Hello", "Dear {{firstname}}")
    slide.refresh_from_db()
    assert slide.text == "Dear {{firstname}}"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"width": "791"}, "it reaches to 801 x 110 pixels; the image has 800 x 600"),
        ({"width": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"font_size": "5"}, "Ensure this value is greater than or equal to 6."),
        ({"color": "white"}, "Enter a valid value."),
        ({"text": "{{name}} 日"}, "which cannot be drawn in sans-bold"),
        ({"text": "word " * 60}, "the text does not fit into its box of 700 x 90 pixels"),
    ],
)
def test_a_text_that_could_not_be_drawn_is_refused(
    console: Client, world: SimpleNamespace, wrong: dict[str, str], error: str
) -> None:
    slide = world.template.slides.get(position=1)
    form = fields(console, slide_page(slide)) | area(**wrong) | {"areas-TOTAL_FORMS": "1"}
    assert error in console.post(slide_page(slide), form).content.decode()
    assert not slide.areas.exists()


def test_what_does_not_fit_as_it_may_look_is_told(console: Client, world: SimpleNamespace) -> None:
    slide = world.template.slides.get(position=1)
    slide.areas.create(text="{{accountnumber}}", left=0, top=0, width=30, height=30, font_size=30)
    page = console.get(slide_page(slide)).content.decode()
    assert "Text area 1: the text does not fit into its box of 30 x 30 pixels" in page
    assert console.get(reverse("admin:mms_slide_picture", args=[slide.pk])).status_code == 200


def test_a_slide_without_a_still_picture_takes_no_texts(console: Client, world: SimpleNamespace) -> None:
    slide = world.template.slides.get(position=2)
    page = console.get(slide_page(slide))
    assert "The slide has no still picture" in page.content.decode()
    assert console.get(reverse("admin:mms_slide_picture", args=[slide.pk])).status_code == 404
    console.post(slide_page(slide), area() | {"areas-TOTAL_FORMS": "1", "areas-INITIAL_FORMS": "0"})
    assert not slide.areas.exists()


def test_a_medium_shows_what_its_renditions_cost(console: Client, world: SimpleNamespace) -> None:
    page = console.get(reverse("admin:mms_medium_change", args=[world.medium.pk])).content.decode()
    assert all(text in page for text in ("320x240-jpeg", "320 x 240", "0.9876"))
