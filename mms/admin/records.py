"""The base class of admin pages for rows that only the platform writes."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import label_for_field
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator
from unfold.decorators import display

from base.admin_pages import MaskingAdmin, ReadOnlyAdmin
from mms.admin import masking, number_searches
from mms.admin.tables import Table, field_lines, link, transform_texts

# Fields, and methods of admin pages, whose texts come from MMSCs and customers.
FREE_TEXTS = {
    *("name", "subject", "text", "fallback_text", "template", "problem"),
    *("client_reference", "ddm_subject", "ddm_text", "merge_data", "texts_by_slide", "field_values"),
    *("mmsc_id", "raw_status", "identity", "handset", "handset_name", "profile_used"),
}
LISTED_CHARACTERS = 120  # a text may have 5,000


@cache
def masked_field(
    page: "RecordAdmin", name: str, mask: Callable[[str], str], limit: int | None = None
) -> Callable[[Any], Any]:
    """Return a function that shows a field, or a method of the page, masked, in at most `limit` characters."""

    @display(description=label_for_field(name, page.model, page))
    def masked(row: Any) -> Any:
        value = getattr(page, name)(row) if hasattr(page, name) else getattr(row, name)
        if isinstance(value, dict):
            return field_lines(value, mask)
        if isinstance(value, Model):
            return link(value, mask(getattr(value, "label", str(value))))
        return Truncator(mask(value)).chars(limit or len(value)) if value else None

    masked.__name__ = f"masked_{name}"
    return masked  # type: ignore[no-any-return]  # unfold's decorator is untyped


class RecordAdmin(MaskingAdmin, ReadOnlyAdmin):
    """A read-only admin page with tables of related rows below the fields.

    Operators without the right to see numbers see them masked, also in texts of MMSCs and data of customers. Nobody
    sees the secrets of URLs in them.
    """

    change_form_after_template = "admin/mms/tables.html"

    def may_see(self, request: HttpRequest) -> bool:
        return masking.may_see_numbers(request)

    def replace(self, request: HttpRequest, name: str) -> Any:
        return self._masked(request, name, None)

    def replace_in_list(self, request: HttpRequest, name: str) -> Any:
        return self._masked(request, name, LISTED_CHARACTERS)

    def _masked(self, request: HttpRequest, name: str, limit: int | None) -> Any:
        if name == "number" and not self.may_see(request):
            return masked_field(self, name, masking.mask_number)
        return masked_field(self, name, masking.text_mask(request), limit) if name in FREE_TEXTS else name

    def may_act(self, request: HttpRequest) -> bool:
        """Return whether the operator may run actions: this needs the change permission."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def tables(self, row: Any) -> Iterable[Table]:
        """Return the tables that the row's page shows below its fields."""
        return ()

    def found(self, term: str, *, exact: bool) -> Q:
        """Return the condition for the rows that a search term finds; whole numbers only, if `exact`."""
        return Q(pk__in=[])

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term, exact = search_term.strip(), not self.may_see(request)
        if not term or not self.search_fields:
            return queryset, False
        if exact and number_searches.is_by_number(term) and not number_searches.admit(request, self.model, term):
            messages.error(request, number_searches.TOO_MANY)
            return queryset.none(), False
        return queryset.filter(self.found(term, exact=exact)), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row, mask = self.get_object(request, object_id), masking.text_mask(request)
        tables = self.tables(row) if row and self.has_view_permission(request, row) else ()
        context = {**(extra_context or {}), "tables": transform_texts(tables, mask)}
        page: HttpResponse = super().change_view(request, object_id, form_url, context)
        return page
