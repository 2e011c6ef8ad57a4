"""Compact form fields of the admin: one line for lists and three for JSON, which are mostly short."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

COMPACT_WIDGETS: "dict[type[models.Field[Any, Any]], dict[str, Any]]" = {
    ArrayField: {"widget": UnfoldAdminTextInputWidget},
    models.JSONField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})},
}
