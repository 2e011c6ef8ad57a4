"""The download of an account's monthly statement."""

from datetime import UTC, datetime

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from billing.models import Account
from mms.messages import statements


def download(request: HttpRequest, account: int, month: str) -> HttpResponse:
    """Return the statement of a month, such as 2026-11, as CSV. It requires the permission to view the ledger."""
    if not request.user.has_perm("billing.view_ledgerentry"):
        raise PermissionDenied
    row = get_object_or_404(Account, pk=account)
    try:
        statement = statements.statement_for(row, datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).date())
    except ValueError:  # not a month, or December 9999, which has no next one
        raise Http404 from None
    disposition = f'attachment; filename="{statement.name}"'
    return HttpResponse(
        statements.to_csv(statement), "text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )
