"""The doors of operators, and what is published. Those of customers and MMSCs are in doors.py, those of probes and
scrapers in mms/observation/views.py.
"""

from django.contrib import admin
from django.urls import path, re_path

from mms.admin import statements
from mms.api.schema_views import openapi_view, xsd_view

statement = admin.site.admin_view(statements.download)

urlpatterns = [
    re_path(r"^ep/v1/schema/(?P<dialect>sinch|skycore)\.xsd$", xsd_view, name="xsd"),
    path("ep/v2/openapi.yaml", openapi_view, name="openapi"),
    # Before the console's own addresses, which take all that begins with admin/.
    path("admin/statements/<int:account>/<str:month>.csv", statement, name="statement"),
    path("admin/", admin.site.urls),
]
