"""The life of a message, from the customer's request to its final status.

A message is a row. Its status names the stage, and `due_at` is the time at which it leaves the stage; no task and no
process holds it. Every stage moves rows by conditional updates, and writes timeline events, postbacks and bookings in
the same transaction (timeline.py, charging.py). The network is used between transactions only. N101, E101 and the
like are the codes of postbacks.

1. Accept (accept.py, with request.py and routing.py). The API parses and checks a send request, and chooses the
   sender address and the carrier. One transaction then repeats the checks that used cached data, reserves the highest
   possible price and stores the message as ACCEPTED, due now. While audio or video of its template is being encoded,
   it is ENCODING instead; the last encoding (mms/encoding) makes it ACCEPTED, and a failed encoding fails it (E101).
2. Claim (claiming.py, leases.py). A sender (sender.py) claims due messages for every carrier that may have more
   requests in flight, and that is neither paused nor at its throughput (feed.py). A claimed message is SENDING, and
   `due_at` is the end of its lease. An expired message fails (E101).
3. Discovery (discovery.py), if the handset is unknown and the request has a DDM text, or if the request forces it. A
   DDM (device discovery message) is a small MMS whose delivery report names the handset. The message is DISCOVERING
   until its deadline. The DDM has a row of its own, which goes through stages 2 and 5 to 7; the customer gets N501 or
   E501 once it is sent or refused, and N502 or E502 for its report. The report, a refusal or the deadline makes the
   message ACCEPTED again. It is then claimed again and sent with what is known about the handset by then; it never
   waits twice.
4. Adaptation (sender.py, with mms/rendering and mms/adaptation). The content is adapted to the limits of the handset,
   or of the generic profile, and of the carrier. A message that cannot fit fails (E101). If the file storage fails,
   the message is postponed until it expires; any other error fails it at the third time.
5. Attempt (transitions.py, attempts.py, gateway.py). For each message still under its lease an attempt row is
   written. The send loop (mms/runtime/send_loop.py) then sends the request, which gateway.py has built in the
   carrier's protocol.
6. Result (transitions.py, attempts.py). The MMSC's answer completes the attempt. Accepted: the message is SUBMITTED
   (N101), and charged. Refused for now, or never sent: it is ACCEPTED again, due at the next retry. Refused for good,
   or without a retry left: FAILED (E101). If the request left and no answer arrived, the message is IN_DOUBT and
   never sent again automatically; a delivery report, an operator's decision or, some minutes after its expiry, the
   sweep ends that.
7. Delivery report (report_endpoint.py, report_matching.py, report_search.py, report_apply.py). A report is stored once
   and matched to its attempt, at once or on a retry schedule. The handset that it names enters the handset cache. A
   final report makes the message DELIVERED (N102), or EXPIRED, REJECTED or FAILED (each E102).
8. Postbacks (mms/postbacks). The notifier delivers the postback rows of all these stages to the customer's URL.

Beside these stages:

- Charging (charging.py): a message that fails before it is submitted releases its reservation; in doubt it keeps it;
  one that is submitted but not delivered is refunded if the account's policy says so. statements.py lists a month.
- Sweep (sweeper.py), about once a second: reclaims the rows of dead workers, whose leases have ended. Without an
  attempt the message is ACCEPTED again; with an open attempt the request may have left, so it is IN_DOUBT. The sweep
  also ends the wait for discoveries and for reports at their deadlines, and matches reports again.
"""
