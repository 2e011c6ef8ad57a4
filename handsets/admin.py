"""The admin of handsets, handset profiles and the handset cache."""

from dataclasses import fields
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import label_for_field
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, IntegerField, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from base.widgets import COMPACT_WIDGETS
from handsets.models import CachedHandset, Handset, Profile
from handsets.profiles import Attributes, attributes

# The numbers of a handset are counted up to this limit: a popular one has millions.
MAX_COUNTED = 1000
INHERITABLE = (("unknown", "inherited"), ("true", "yes"), ("false", "no"))
ATTRIBUTES = tuple(field.name for field in fields(Attributes))


@admin.register(Handset)
class HandsetAdmin(ModelAdmin):
    list_display = ("identity", "profile", "numbers", "first_seen")
    list_select_related = ("profile",)
    list_filter = (("profile", admin.EmptyFieldListFilter),)
    search_fields = ("identity",)
    autocomplete_fields = ("profile",)
    fields = ("identity", "profile", "numbers", "first_seen")
    show_facets = ShowFacets.NEVER

    def get_readonly_fields(self, request: HttpRequest, obj: Handset | None = None) -> tuple[str, ...]:
        """Make the identity read-only after creation: carriers report exactly this text."""
        return ("identity", "numbers", "first_seen") if obj else ("numbers", "first_seen")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Handset]:
        numbers = CachedHandset.objects.filter(handset=OuterRef("pk")).values("pk")[: MAX_COUNTED + 1]
        count = Func(ArraySubquery(numbers), function="cardinality", output_field=IntegerField())
        handsets: QuerySet[Handset] = super().get_queryset(request).annotate(cached_numbers=count)
        return handsets

    @display(description="cached numbers")
    def numbers(self, handset: Handset) -> str:
        count = getattr(handset, "cached_numbers", 0)
        return f"{count:,}" if count <= MAX_COUNTED else f"more than {MAX_COUNTED:,}"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: the handset cache refers to handsets."""
        return False


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker alone
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.NullBooleanField):
                field.widget.choices = INHERITABLE

    def clean_mime_types(self) -> list[str] | None:
        # None inherits the parent's types. An empty list would mean that the handset accepts no type.
        return self.cleaned_data["mime_types"] or None

    def clean_decodes(self) -> list[str] | None:
        """Return the codings; none given inherits them, except in the generic profile, which then decodes none."""
        given: list[str] = self.cleaned_data["decodes"] or []
        return given or ([] if self.instance.generic else None)

    def clean_parent(self) -> Profile | None:
        parent: Profile | None = self.cleaned_data["parent"]
        ancestor = parent
        while ancestor is not None:
            if ancestor == self.instance:
                raise forms.ValidationError(f"{parent} already inherits from this profile.")
            ancestor = ancestor.parent
        return parent

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if self.instance.generic:
            for name in ATTRIBUTES:
                if name not in self.errors and cleaned.get(name) in (None, ""):
                    self.add_error(name, "Required: the generic profile must define every attribute.")
        return cleaned


@admin.register(Profile)
class ProfileAdmin(ModelAdmin):
    form = ProfileForm
    formfield_overrides = COMPACT_WIDGETS
    list_display = ("name", "inherits_from", "screen", "largest_image", "largest_message")
    list_select_related = ("parent",)
    search_fields = ("name",)
    autocomplete_fields = ("parent",)
    readonly_fields = ("generic", "effective_attributes")
    fieldsets = (
        (None, {"fields": (("name", "parent"), "generic")}),
        (
            "Attributes (leave empty to inherit them)",
            {
                "fields": (
                    ("screen_width", "screen_height"),
                    ("image_width", "image_height"),
                    ("message_bytes", "charset"),
                    "mime_types",
                    "decodes",
                    ("animated_gif", "smil"),
                    ("takes_mms", "takes_link"),
                )
            },
        ),
        ("Effective attributes", {"fields": ("effective_attributes",)}),
    )

    @display(description="parent", ordering="parent__name")
    def inherits_from(self, profile: Profile) -> str:
        return "-" if profile.generic else str(profile.parent or "Generic profile")

    @display(description="screen")
    def screen(self, profile: Profile) -> str:
        return _format_size(profile.screen_width, profile.screen_height)

    @display(description="largest image")
    def largest_image(self, profile: Profile) -> str:
        return _format_size(profile.image_width, profile.image_height)

    @display(description="largest message", ordering="message_bytes")
    def largest_message(self, profile: Profile) -> str:
        return "inherited" if profile.message_bytes is None else f"{profile.message_bytes:,} bytes"

    @display(description="")
    def effective_attributes(self, profile: Profile) -> SafeString | str:
        """Return each attribute as it applies to handsets of this profile, marked if it is inherited."""
        if profile._state.adding:
            return "-"
        effective = attributes(Handset(profile=profile))
        rows = ((_name(name), _format(getattr(effective, name)), _origin(profile, name)) for name in ATTRIBUTES)
        row = '<div>{}: <strong>{}</strong> <span class="text-subtle">{}</span></div>'
        return format_html_join("", row, rows)

    def has_delete_permission(self, request: HttpRequest, obj: Profile | None = None) -> bool:
        """Refuse it for the generic profile, without which nothing can be sent."""
        return not (obj and obj.generic) and super().has_delete_permission(request, obj)


def _format_size(width: int | None, height: int | None) -> str:
    return "inherited" if width is None and height is None else f"{width or '-'} x {height or '-'}"


def _name(attribute: str) -> str:
    return str(label_for_field(attribute, Profile))


def _format(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(sorted(value)) or "none" if isinstance(value, frozenset) else str(value)


def _origin(profile: Profile, attribute: str) -> str:
    return "inherited" if getattr(profile, attribute) is None else ""


@admin.register(CachedHandset)
class CachedHandsetAdmin(ModelAdmin):
    """The handset cache. Entries can be deleted; the next message to the number then starts a discovery."""

    list_display = ("number", "handset", "source", "first_seen", "last_seen")
    list_select_related = ("handset",)
    list_filter = (("source", ChoicesDropdownFilter), ("handset", AutocompleteSelectFilter))
    list_filter_submit = True
    search_fields = ("number__startswith",)
    search_help_text = "Number"
    ordering = ("number",)
    sortable_by = ()
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_disable_select_all = True
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
