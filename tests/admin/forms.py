"""Helpers that read and post the forms of admin pages."""

from types import SimpleNamespace
from typing import Any

from django.forms import BoundField, NullBooleanField, NullBooleanSelect
from django.test import Client
from django.urls import reverse


def form_values(superuser: Client, address: str) -> dict[str, str]:
    """Return the values that a browser would post unchanged: all fields of the form and of its inlines."""
    context = superuser.get(address).context
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    bounds = [bound for form in forms for bound in form]
    return {bound.html_name: _posted(bound) for bound in bounds if bound.value() is not False}


def save_form(superuser: Client, address: str, form: dict[str, str]) -> None:
    """Post a valid form."""
    response = superuser.post(address, form)
    assert response.status_code == 302, response.context["errors"]


def _posted(bound: BoundField) -> str:
    if isinstance(bound.field, NullBooleanField):
        return str(NullBooleanSelect().format_value(bound.value()))
    value = bound.value()
    return "on" if value is True else "" if value is None else str(value)


def account_page(sample: SimpleNamespace) -> str:
    return reverse("admin:billing_account_change", args=[sample.account.pk])


def action_form(action: str, *rows: Any) -> dict[str, Any]:
    """Return the form of a list that runs the action on the rows."""
    return {"action": action, "_selected_action": [row.pk for row in rows], "index": 0}
