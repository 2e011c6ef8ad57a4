"""The admin of handsets, handset profiles and the handset cache."""

import re
from types import SimpleNamespace

from django.test import Client
from django.urls import reverse

from handsets import profiles
from handsets.models import CachedHandset, Handset, Profile
from tests.admin.forms import form_values, save_form
from tests.wire import IPHONE


def profile_page(profile: Profile) -> str:
    return reverse("admin:handsets_profile_change", args=[profile.pk])


def test_profile_shows_inherited_attributes(superuser: Client, sample: SimpleNamespace) -> None:
    page = " ".join(re.sub(r"<[^>]+>", " ", superuser.get(profile_page(sample.profile)).content.decode()).split())
    assert "screen width: 320" in page
    assert "screen height: 480 inherited" in page
    assert "takes MMS: yes SMIL" not in page


def test_empty_attribute_is_inherited(superuser: Client, sample: SimpleNamespace) -> None:
    form = form_values(superuser, profile_page(sample.profile))
    save_form(superuser, profile_page(sample.profile), form | {"screen_width": ""})
    sample.profile.refresh_from_db()
    assert (sample.profile.screen_width, sample.profile.mime_types, sample.profile.charset) == (None, None, None)
    assert profiles.attributes(Handset(profile=sample.profile)).screen_width == 640


def test_circular_inheritance_is_refused(superuser: Client, sample: SimpleNamespace) -> None:
    child = Profile.objects.create(name="child", parent=sample.profile)
    form = form_values(superuser, profile_page(sample.profile))
    response = superuser.post(profile_page(sample.profile), form | {"parent": str(child.pk)})
    assert "child already inherits from this profile." in response.content.decode()


def test_generic_profile_keeps_every_attribute(superuser: Client, sample: SimpleNamespace) -> None:
    generic = Profile.objects.get(generic=True)
    form = form_values(superuser, profile_page(generic))
    save_form(superuser, profile_page(generic), form)
    for field in ("message_bytes", "mime_types", "charset"):
        response = superuser.post(profile_page(generic), form | {field: ""})
        assert "Required: the generic profile must define every attribute." in response.content.decode()
    assert superuser.post(f"/admin/handsets/profile/{generic.pk}/delete/", {"post": "yes"}).status_code == 403


def test_handset_list_counts_cached_numbers(superuser: Client, sample: SimpleNamespace) -> None:
    response = superuser.get(reverse("admin:handsets_handset_changelist"), {"q": "iphone"})
    (handset,) = response.context["cl"].result_list
    assert (handset.identity, handset.cached_numbers) == (IPHONE, 1)


def test_handset_cache_entry_is_found_and_deleted(superuser: Client, sample: SimpleNamespace) -> None:
    cache = reverse("admin:handsets_cachedhandset_changelist")
    (entry,) = superuser.get(cache, {"q": "1404"}).context["cl"].result_list
    assert entry.number == "14044790000"
    assert list(superuser.get(cache, {"q": "404"}).context["cl"].result_list) == []
    superuser.post(cache, {"action": "delete_selected", "_selected_action": [entry.pk], "index": 0, "post": "yes"})
    assert not CachedHandset.objects.filter(pk=entry.pk).exists()
