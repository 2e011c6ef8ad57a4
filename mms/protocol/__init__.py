"""The interface to carrier protocols: submit requests, their results and delivery reports.

Plain values without HTTP or database. A protocol package (mms/mm7) encodes and decodes them.
"""
