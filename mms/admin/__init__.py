"""The operators' console on messages, their content and their carriers."""

from django.contrib import admin

from mms.admin import carriers, content, discoveries, messages, postbacks, slides, submissions

__all__ = ["carriers", "content", "discoveries", "messages", "postbacks", "slides", "submissions"]

admin.site.index_template = "admin/mms/dashboard.html"
