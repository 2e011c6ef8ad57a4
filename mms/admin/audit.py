"""What happened is read, not written: the base of the pages over tables that only the flow writes to.

These tables grow to tens of millions of rows. Their lists are in the order of the primary key, are paged without
a COUNT(*), and offer no sorting for which there is no index.
"""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import ShowFacets
from django.db import models
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from mms.admin.tables import Table


class AuditAdmin(ModelAdmin):
    """Pages that nobody adds, changes or deletes by; `tables` gives what a row's page shows below its fields."""

    ordering = ("-pk",)
    sortable_by = ()
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_disable_select_all = True
    list_filter_submit = True
    change_form_after_template = "admin/mms/tables.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def may_act(self, request: HttpRequest) -> bool:
        """Whether this operator may do more than read: the right that would let others change a row."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def tables(self, row: Any) -> Iterable[Table]:
        return ()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        tables = list(self.tables(row)) if row and self.has_view_permission(request, row) else []
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "tables": tables}
        )
        return page
