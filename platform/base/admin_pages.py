"""Base classes of admin pages: masked fields, and read-only pages for tables that only the platform writes.

These tables grow to tens of millions of rows. Their lists are ordered by primary key, paged without a COUNT(*), and
offer no sorting without an index.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from django.contrib.admin import ShowFacets
from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator


class MaskingAdmin(ModelAdmin):
    """An admin page that masks fields: `replacements` maps a field to its masked form, or to "" to leave it out.

    `list_replacements` holds for the list, and for everybody.
    """

    replacements: Mapping[str, str] = {}
    list_replacements: Mapping[str, str] = {}

    def may_see(self, request: HttpRequest) -> bool:
        """Return whether this operator sees the fields unmasked."""
        raise NotImplementedError

    def replace(self, request: HttpRequest, name: str) -> Any:
        """Return what this operator sees instead of a field: the name of another one, or a function; "" for nothing."""
        return name if self.may_see(request) else self.replacements.get(name, name)

    def replace_in_list(self, request: HttpRequest, name: str) -> Any:
        """Return what this operator sees instead of a column of the list."""
        return self.list_replacements.get(name) or self.replace(request, name)

    def get_list_display(self, request: HttpRequest) -> Any:
        return _shown(super().get_list_display(request), partial(self.replace_in_list, request))

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        return [self.replace_in_list(request, name) for name in self.list_display_links] or list_display[:1]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return _shown(super().get_readonly_fields(request, obj), partial(self.replace, request))

    def get_fieldsets(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        replace = partial(self.replace, request)
        return [(title, {**options, "fields": _shown(options["fields"], replace)}) for title, options in fieldsets]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow only lookups of list filters: others would reveal a masked value character by character."""
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return allowed and (self.may_see(request) or lookup.partition("__")[0] in self._filters())

    def _filters(self) -> set[str]:
        """Return the query parameters of the list filters."""
        given = (each[0] if isinstance(each, tuple) else each for each in self.list_filter)
        return {each if isinstance(each, str) else each.parameter_name for each in given}


def _shown(names: Iterable[Any], replace: Callable[[str], Any]) -> Any:
    """Return the field names, or rows of names, with masked fields replaced."""
    shown = (_shown(name, replace) if isinstance(name, tuple | list) else replace(name) for name in names)
    return tuple(name for name in shown if name)


class ReadOnlyAdmin(ModelAdmin):
    """An admin page without add, change and delete."""

    ordering = ("-pk",)
    sortable_by = ()
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_disable_select_all = True
    list_filter_submit = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False
