"""The roles of operators, as groups: what each may see and do in the console. Superusers may do everything."""

from collections.abc import Mapping, Sequence
from importlib import import_module

from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

EDIT = ("view", "add", "change")
ALL = (*EDIT, "delete")
CONTENT = ("template", "slide", "textarea", "medium", "rendition")
TRAFFIC = ("message", "discovery", "attempt", "report", "postback")

Rights = Mapping[str, Sequence[tuple[Sequence[str], Sequence[str]]]]
# Group -> app -> (what it may do, with which models).
ROLES: Mapping[str, Rights] = {
    "Operator": {
        "mms": [(EDIT, (*TRAFFIC, *CONTENT, "carrier")), (ALL, ("numberprefix", "textarea")), (["see"], ["numbers"])],
        "handsets": [(ALL, ("handset", "profile", "cachedhandset"))],
        "billing": [
            (EDIT, ("account", "apikey", "service")),
            (ALL, ("senderaddress", "blockednumber")),
            (["view"], ("price", "ledgerentry", "lowbalancenotice")),
        ],
    },
    # Who answers customers: no whole numbers, no secrets.
    "Support": {
        "mms": [(["view"], (*TRAFFIC, *CONTENT, "carrier"))],
        "handsets": [(["view"], ("handset", "profile"))],
        "billing": [
            (["view"], ("account", "apikey", "senderaddress", "service", "price", "ledgerentry", "lowbalancenotice"))
        ],
    },
    "Finance": {
        "billing": [
            (["view"], ("account", "lowbalancenotice")),
            (ALL, ["price"]),
            (["view", "add"], ["ledgerentry"]),
        ],
    },
    "Handset editor": {"handsets": [(EDIT, ["handset"]), (ALL, ["profile"])]},
}


def create(apps: StateApps, _: BaseDatabaseSchemaEditor) -> None:
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    _create_permissions(apps)
    for name, rights in ROLES.items():
        group = Group.objects.get_or_create(name=name)[0]
        for app, grants in rights.items():
            codenames = {f"{verb}_{model}" for verbs, models in grants for verb in verbs for model in models}
            group.permissions.add(*Permission.objects.filter(content_type__app_label=app, codename__in=codenames))


def _create_permissions(apps: StateApps) -> None:
    """Django makes them only after the last migration; a new database has none yet."""
    for label in ("mms", "handsets", "billing"):
        config = apps.get_app_config(label)
        config.models_module = import_module(f"{label}.models")
        create_permissions(config, apps=apps, verbosity=0)
        config.models_module = None


class Migration(migrations.Migration):
    dependencies = [
        ("mms", "0004_customer_api"),
        ("handsets", "0003_names"),
        ("billing", "0002_proofs"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    # Groups stay when this is taken back: operators may be in them.
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
