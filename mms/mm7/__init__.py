"""MM7, the interface between us (the VASP) and a carrier's MMSC: pure functions, values to bytes and back.

3GPP TS 23.140 describes it (section 8.7 the transactions, annex L the XML schemas); SOAP 1.1 with attachments
carries it over HTTP.
"""
