"""MM7, the interface between the platform (the VASP) and a carrier's MMSC: pure encoding and decoding.

Specified by 3GPP TS 23.140 (section 8.7: transactions, annex L: XML schemas); transported as SOAP 1.1 with attachments
over HTTP.
"""
