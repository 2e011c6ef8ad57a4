"""The base class of admin pages for rows that only the platform writes."""

from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from base import logs
from base.admin_pages import MaskingAdmin, ReadOnlyAdmin
from mms.admin import masking
from mms.admin.tables import Table, transform_texts


class RecordAdmin(MaskingAdmin, ReadOnlyAdmin):
    """A read-only admin page with tables of related rows below the fields.

    Operators without the right to see numbers see them masked, also in texts of MMSCs and data of customers.
    """

    change_form_after_template = "admin/mms/tables.html"
    replacements = {"number": "masked_number", "text": "masked_text", "raw_status": "masked_raw_status"}

    def may_see(self, request: HttpRequest) -> bool:
        return masking.may_see_numbers(request)

    @display(description="number")
    def masked_number(self, row: Any) -> str:
        return masking.mask_number(row.number)

    @display(description="text")
    def masked_text(self, row: Any) -> str:
        return logs.mask(row.text)

    @display(description="raw status")
    def masked_raw_status(self, row: Any) -> str:
        return logs.mask(row.raw_status)

    def text_filter(self, request: HttpRequest) -> Callable[[str], str]:
        """Return the function that masks texts for this operator, if necessary."""
        return str if self.may_see(request) else logs.mask

    def may_act(self, request: HttpRequest) -> bool:
        """Return whether the operator may run actions: this needs the change permission."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def tables(self, row: Any) -> Iterable[Table]:
        """Return the tables that the row's page shows below its fields."""
        return ()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        tables = self.tables(row) if row and self.has_view_permission(request, row) else ()
        context = {**(extra_context or {}), "tables": transform_texts(tables, self.text_filter(request))}
        page: HttpResponse = super().change_view(request, object_id, form_url, context)
        return page
