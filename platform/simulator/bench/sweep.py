"""What a sweep costs where 1,000 messages and discoveries are due, among a million that wait or among none."""




DUE, WAITING = 1_000, 1_000_000
NO_SIMULATOR = "http://127.0.0.1:9"

# Messages that wait for a discovery each, until moments a millisecond apart. They were not stored in that order.
DISCOVERIES = """
INSERT INTO mms_discovery
    (number, sender, carrier_id, account_id, subject, text, status, due_at, expires_at, created_at, tries, losses)
SELECT 14000000000 + %(before)s + n, '28444', %(carrier)s, %(account)s, 'Device Discovery', 'Hello', 'submitted',
       due_at, due_at, %(now)s, 1, 0
FROM (
    SELECT n, %(now)s + interval '1 ms' * row_number() OVER (ORDER BY n / 50000, hashint4(n)) AS due_at
    FROM generate_series(1, %(count)s) n
) waits
"""
MESSAGES = """
INSERT INTO mms_message
    (number, sender, carrier_id, account_id, template_id, status, due_at, expires_at, created_at, tries, losses,
     discovery_id, subject, ddm_text, ddm_subject, ddm_timeout, ddm_force, country, operator_id, texts, data,
     fallback_text, disable_fallback_sms, disable_fallback_sms_link, from_mask, client_reference,
     price_mms, price_ddm, reserved, pays_ddm)
SELECT number, sender, carrier_id, account_id, %(template)s, 'discovering', due_at, due_at + interval '1 day',
       created_at, 0, 0, id, 'Spring is here', text, '', 5, false, 'US', '', '{}', '{}', '', false, false, '', '',
       0, 0, 0, false
FROM mms_discovery WHERE number::bigint > 14000000000 + %(before)s
"""
EVENTS = """
INSERT INTO mms_event (message_id, at, kind, text, details)
SELECT id, created_at, 'ddm-sent', 'the MMSC took the DDM', '{}' FROM mms_message
WHERE number::bigint > 14000000000 + %(before)s
"""
