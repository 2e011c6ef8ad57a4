"""What happened is read, not written: the base of the console's pages over tables that only the platform writes to.

These tables grow to tens of millions of rows. Their lists are in the order of the primary key, are paged without
a COUNT(*), and offer no sorting for which there is no index.
"""

from django.contrib.admin import ShowFacets
from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator


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
