"""The admin of messages, content, postbacks and carriers, and the dashboard."""

from django.contrib import admin

from mms.admin import carriers, content, discoveries, messages, postbacks, slides, submissions

__all__ = ["carriers", "content", "discoveries", "messages", "postbacks", "slides", "submissions"]

admin.site.index_template = "admin/mms/dashboard.html"
