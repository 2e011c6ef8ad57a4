"""The doors: customers', carriers', operators'. Those of probes and scrapers are in mms/observation/views.py."""

from django.contrib import admin
from django.urls import path, re_path

from mms.admin import statements
from mms.api.contracts import openapi_view, xsd_view
from mms.api.views import JsonDoor, SinchDoor, SkycoreDoor
from mms.mm7.views import endpoint

statement = admin.site.admin_view(statements.download)

urlpatterns = [
    # With or without the slash at the end: a redirect would lose what is posted.
    re_path(r"^ep/v1/?$", SinchDoor.as_view(), name="sinch"),
    re_path(r"^API/wxml/1\.3(?:/(?:index\.php)?)?$", SkycoreDoor.as_view(), name="skycore"),
    re_path(r"^ep/v2/?$", JsonDoor.as_view(), name="json"),
    re_path(r"^ep/v1/schema/(?P<dialect>sinch|skycore)\.xsd$", xsd_view, name="xsd"),
    path("ep/v2/openapi.yaml", openapi_view, name="openapi"),
    path("mm7/<slug:carrier>", endpoint, name="mm7"),
    # Before the console's own addresses, which take all that begins with admin/.
    path("admin/statements/<int:account>/<str:month>.csv", statement, name="statement"),
    path("admin/", admin.site.urls),
]
