"""What the flow says to a carrier protocol and hears from it: submit requests, their results, delivery reports.

Pure values without HTTP or database. A protocol folder (mm7/) turns them into bytes and back.
"""
