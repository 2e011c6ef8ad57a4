"""Postbacks: notifications to customers, from the row in the outbox to the POST.

notices.py builds the fields of a postback, timeline.py (mms/messages) and standalone.py write its row, outbox.py claims
due rows and records the replies, dialects.py encodes the body, notifier.py signs and sends it.
"""
