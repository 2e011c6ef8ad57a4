"""The HTTP request of a postback, signed with the account's secrets so that the customer can verify its origin.

The notifier builds it for each try. docs/api.md shows how customers verify the signature.
"""

import hashlib
import hmac

from mms.postbacks import dialects, outbox
from mms.postbacks.outbox import ClaimedPostback
from mms.runtime.http_client import Request


def signed_request(claimed: ClaimedPostback) -> Request:
    """Return the POST request: the body in the dialect of the postback, the platform's additions in headers."""
    postback = claimed.postback
    body = dialects.body(postback.fields, postback.dialect)
    secrets = postback.account.signing_secrets
    timestamp = str(int(claimed.attempt.started_at.timestamp()))
    headers = {
        "Content-Type": dialects.DIALECTS[postback.dialect].content_type,
        "X-MMS-Event-Id": str(postback.pk),
        "X-MMS-Sequence": str(claimed.sequence),
        "X-MMS-Attempt": str(postback.tries),
        "X-MMS-Timestamp": timestamp,
        "X-MMS-Signature": ",".join(f"v1={sign(secret, timestamp, body)}" for secret in secrets),
    }
    return Request(claimed.attempt.url, body, headers, outbox.TIMEOUT, status_suffices=True)


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the HMAC-SHA256 over timestamp, a full stop and body, as hex."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
