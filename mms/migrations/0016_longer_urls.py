"""Allow 2,000 characters and hosts without a dot in URLs; a longer varchar rewrites no row."""

import base.http_url
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("mms", "0015_message_profile_used"),
    ]

    operations = [
        migrations.AlterField(
            model_name="carrier",
            name="mmsc_url",
            field=base.http_url.HttpURLField(blank=True, max_length=2000, verbose_name="MMSC URL"),
        ),
        migrations.AlterField(
            model_name="postbackattempt",
            name="url",
            field=base.http_url.HttpURLField(blank=True, max_length=2000, verbose_name="URL"),
        ),
    ]
