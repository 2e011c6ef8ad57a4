"""Say which codings a profile's handsets decode. The generic profile decodes none but the plainest."""

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def be_cautious(apps: StateApps, _: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("handsets", "Profile").objects.filter(generic=True).update(decodes=[])


class Migration(migrations.Migration):
    dependencies = [("handsets", "0004_plain_language")]
    operations = [
        migrations.AddField(
            model_name="profile",
            name="decodes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40),
                blank=True,
                help_text="Codings beyond the plainest that the handset decodes: originals in others are made anew.",
                null=True,
                size=None,
            ),
        ),
        migrations.RunPython(be_cautious, migrations.RunPython.noop),
    ]
