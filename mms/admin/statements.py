"""Statements for the console: the download that the page of an account links to."""

from datetime import UTC, datetime

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from billing.models import Account
from mms.messages import statements


def download(request: HttpRequest, account: int, month: str) -> HttpResponse:
    """The statement of the month, given as 2026-11, as CSV; for whoever may read the ledger."""
    if not request.user.has_perm("billing.view_ledgerentry"):
        raise PermissionDenied
    of = get_object_or_404(Account, pk=account)
    try:
        statement = statements.statement_for(of, datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).date())
    except ValueError:  # no month, or the last one that there is
        raise Http404 from None
    disposition = f'attachment; filename="{statement.name}"'
    return HttpResponse(
        statements.to_csv(statement), "text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )
