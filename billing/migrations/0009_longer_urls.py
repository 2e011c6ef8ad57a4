"""Allow 2,000 characters and hosts without a dot in URLs; a longer varchar rewrites no row."""

import base.http_url
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0008_account_report_left_out"),
    ]

    operations = [
        migrations.AlterField(
            model_name="account",
            name="mo_url",
            field=base.http_url.HttpURLField(
                blank=True,
                help_text="Postbacks for messages from handsets. Leave empty to use the postback URL.",
                max_length=2000,
                verbose_name="MO URL",
            ),
        ),
        migrations.AlterField(
            model_name="account",
            name="postback_url",
            field=base.http_url.HttpURLField(
                blank=True,
                help_text="Postbacks are sent here. Leave empty to send none.",
                max_length=2000,
                verbose_name="postback URL",
            ),
        ),
    ]
