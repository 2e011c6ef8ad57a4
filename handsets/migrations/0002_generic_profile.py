"""The generic profile, which everything else falls back to: without it nothing could be sent."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

GENERIC = {
    "name": "generic",
    "generic": True,
    "screen_width": 640,
    "screen_height": 480,
    "image_width": 640,
    "image_height": 480,
    "message_bytes": 300_000,
    "mime_types": ["image/jpeg", "image/gif", "audio/amr", "video/3gpp"],
    "animated_gif": True,
    "smil": True,
    "charset": "utf-8",
    "takes_mms": True,
    "takes_link": True,
}


def create(apps: StateApps, _: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("handsets", "Profile").objects.create(**GENERIC)


class Migration(migrations.Migration):
    dependencies = [("handsets", "0001_initial")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
