"""The base of the pages over what the flow writes: read, not written, with tables below a row's own fields."""

from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from base import logs
from base.admin_pages import MaskingAdmin, ReadOnlyAdmin
from mms.admin import masking
from mms.admin.tables import Table, worded


class AuditAdmin(MaskingAdmin, ReadOnlyAdmin):
    """`tables` gives what a row's page shows below its fields.

    Who may not see numbers sees none in what others wrote, either: an MMSC's words, a customer's data.
    """

    change_form_after_template = "admin/mms/tables.html"
    replacements = {"number": "masked_number", "text": "masked_text", "raw_status": "masked_raw_status"}

    def may_see(self, request: HttpRequest) -> bool:
        return masking.may_see(request)

    @display(description="number")
    def masked_number(self, row: Any) -> str:
        return masking.masked(row.number)

    @display(description="text")
    def masked_text(self, row: Any) -> str:
        return logs.mask(row.text)

    @display(description="raw status")
    def masked_raw_status(self, row: Any) -> str:
        return logs.mask(row.raw_status)

    def words(self, request: HttpRequest) -> Callable[[str], str]:
        """Texts as this operator may see them."""
        return str if self.may_see(request) else logs.mask

    def may_act(self, request: HttpRequest) -> bool:
        """Whether this operator may do more than read: the right that would let others change a row."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def tables(self, row: Any) -> Iterable[Table]:
        return ()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        tables = self.tables(row) if row and self.has_view_permission(request, row) else ()
        shown = {"tables": worded(tables, self.words(request))}
        page: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})
        return page
