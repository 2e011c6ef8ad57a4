"""Add vCards, which nearly every handset supports, to the generic profile."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

VCARD = "text/x-vcard"


def take_vcards(apps: StateApps, _: BaseDatabaseSchemaEditor) -> None:
    for profile in apps.get_model("handsets", "Profile").objects.filter(generic=True).exclude(mime_types=None):
        if VCARD not in profile.mime_types:
            profile.mime_types = [*profile.mime_types, VCARD]
            profile.save(update_fields=["mime_types"])


class Migration(migrations.Migration):
    dependencies = [("handsets", "0005_decodes")]
    operations = [migrations.RunPython(take_vcards, migrations.RunPython.noop)]
