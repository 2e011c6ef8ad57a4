"""URLs of the admin and of the published schemas.

Those of customers and MMSCs are in fast_routes.py, those of probes and Prometheus in mms/observation/views.py.
"""

from django.contrib import admin
from django.urls import path, re_path

from mms.admin import statements
from mms.api.schema_views import openapi_view, xsd_view

statement = admin.site.admin_view(statements.download)

urlpatterns = [
    re_path(r"^ep/v1/schema/(?P<dialect>sinch|skycore)\.xsd$", xsd_view, name="xsd"),
    path("ep/v2/openapi.yaml", openapi_view, name="openapi"),
    # Before the admin's own URLs, which match everything below admin/.
    path("admin/statements/<int:account>/<str:month>.csv", statement, name="statement"),
    path("admin/", admin.site.urls),
]
