"""The doors: customers', carriers', operators'."""

from django.contrib import admin
from django.urls import path

from mms.admin import statements
from mms.api.views import SinchDoor
from mms.mm7.views import endpoint

statement = admin.site.admin_view(statements.download)

urlpatterns = [
    path("ep/v1/", SinchDoor.as_view(), name="sinch"),
    path("mm7/<slug:carrier>", endpoint, name="mm7"),
    # Before the console's own addresses, which take all that begins with admin/.
    path("admin/statements/<int:account>/<str:month>.csv", statement, name="statement"),
    path("admin/", admin.site.urls),
]
