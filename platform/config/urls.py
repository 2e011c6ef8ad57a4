"""The doors: customers', carriers', operators'."""

from django.contrib import admin
from django.urls import path, re_path

from mms.api.contracts import openapi_view, xsd_view
from mms.api.views import JsonDoor, SinchDoor, SkycoreDoor
from mms.mm7.views import endpoint

urlpatterns = [
    # With or without the slash at the end: a redirect would lose what is posted.
    re_path(r"^ep/v1/?$", SinchDoor.as_view(), name="sinch"),
    re_path(r"^API/wxml/1\.3(?:/(?:index\.php)?)?$", SkycoreDoor.as_view(), name="skycore"),
    re_path(r"^ep/v2/?$", JsonDoor.as_view(), name="json"),
    re_path(r"^ep/v1/schema/(?P<dialect>sinch|skycore)\.xsd$", xsd_view, name="xsd"),
    path("ep/v2/openapi.yaml", openapi_view, name="openapi"),
    path("mm7/<slug:carrier>", endpoint, name="mm7"),
    path("admin/", admin.site.urls),
]
