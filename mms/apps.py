"""Configuration of the app."""

from django.apps import AppConfig


class MmsConfig(AppConfig):
    name = "mms"
    verbose_name = "MMS"
