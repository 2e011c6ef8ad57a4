"""The base of the pages over what the flow writes: read, not written, with tables below a row's own fields."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from config.audit import DiscreetAdmin, ReadOnlyAdmin
from mms.admin import masking
from mms.admin.tables import Table


class AuditAdmin(DiscreetAdmin, ReadOnlyAdmin):
    """`tables` gives what a row's page shows below its fields."""

    change_form_after_template = "admin/mms/tables.html"
    instead = {"number": "masked_number"}

    def may_see(self, request: HttpRequest) -> bool:
        return masking.may_see(request)

    @display(description="number")
    def masked_number(self, row: Any) -> str:
        return masking.masked(row.number)

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
