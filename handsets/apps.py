"""The app of handsets, handset profiles and the handset cache."""

from django.apps import AppConfig


class HandsetsConfig(AppConfig):
    name = "handsets"
    verbose_name = "Handsets"
