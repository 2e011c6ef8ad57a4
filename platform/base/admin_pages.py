"""What happened is read, not written: the base of the console's pages over tables that only the platform writes to.

These tables grow to tens of millions of rows. Their lists are in the order of the primary key, are paged without
a COUNT(*), and offer no sorting for which there is no index.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.admin import ShowFacets
from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator


class DiscreetAdmin(ModelAdmin):
    """Keeps fields from those who may not see them: `instead` says what stands in the place of each, "" for nothing."""

    instead: Mapping[str, str] = {}

    def may_see(self, request: HttpRequest) -> bool:
        """Whether this operator sees the fields as they are."""
        raise NotImplementedError

    def get_list_display(self, request: HttpRequest) -> Any:
        return self._shown(request, super().get_list_display(request))

    def get_fieldsets(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [(title, {**options, "fields": self._shown(request, options["fields"])}) for title, options in fieldsets]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Not by fields that no filter of the list is for: what is kept would come out, a character a question."""
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return allowed and (self.may_see(request) or lookup.partition("__")[0] in self._filters())

    def _filters(self) -> set[str]:
        """What the list can be filtered by, as addresses name it."""
        given = (each[0] if isinstance(each, tuple) else each for each in self.list_filter)
        return {each if isinstance(each, str) else each.parameter_name for each in given}

    def _shown(self, request: HttpRequest, names: Iterable[Any]) -> Any:
        """These names of fields, or lines of names."""
        if self.may_see(request):
            return names
        shown = (
            self._shown(request, name) if isinstance(name, tuple | list) else self.instead.get(name, name)
            for name in names
        )
        return tuple(name for name in shown if name)


class ReadOnlyAdmin(ModelAdmin):
    """Pages that nobody adds, changes or deletes by."""

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
