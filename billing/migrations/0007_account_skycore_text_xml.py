"""Add the account setting for Skycore answers as text/xml."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_ledgerentry_form")]

    operations = [
        migrations.AddField(
            model_name="account",
            name="skycore_text_xml",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Answers at /API/wxml/1.3/ are text/plain otherwise, which published Skycore clients expect.",
                verbose_name="Skycore answers as text/xml",
            ),
        ),
    ]
