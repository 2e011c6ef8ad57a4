"""How lists and JSON stand in the console's forms: in a line or three, as the little that they mostly hold."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

SMALL: "dict[type[models.Field[Any, Any]], dict[str, Any]]" = {
    ArrayField: {"widget": UnfoldAdminTextInputWidget},
    models.JSONField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 3})},
}
