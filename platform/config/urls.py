"""The doors: customers', carriers', operators'."""

from django.contrib import admin
from django.urls import path

from mms.api.views import SinchDoor
from mms.mm7.views import endpoint

urlpatterns = [
    path("ep/v1/", SinchDoor.as_view(), name="sinch"),
    path("mm7/<slug:carrier>", endpoint, name="mm7"),
    path("admin/", admin.site.urls),
]
