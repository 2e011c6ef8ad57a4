"""The life of a message, from the customer's request to its final status.

Each stage below is one module. Every stage moves rows by conditional updates, and writes the timeline events, postbacks
and charges of the step in the same transaction. A message that waits is a row with `due_at`; no task and no process
holds it. The network is called between transactions only.

1. Accept (accept.py): the API parses and checks a send request (request.py) and chooses the sender address and the
   carrier (routing.py). Accept checks it again in its own transaction, reserves the price and stores a message:
   ACCEPTED and due now, or ENCODING while the template's audio and video are being encoded (mms/encoding).
2. Claim (claiming.py, leases.py): a sender (sender.py), woken by a task or by the sweep, claims due messages of each
   carrier that has room: SENDING, under a lease that ends at `due_at`. A message that has expired fails here (E101).
3. Discovery (discovery.py): a claimed message whose handset is unknown, or whose request forces it, waits for a DDM:
   DISCOVERING until its deadline. The DDM is claimed and submitted like a message (stages 2, 5 and 6) and reported as
   N501 or E501. Its report (N502 or E502), its failure or the deadline makes the message ACCEPTED again, and it is
   claimed once more.
4. Adaptation (sender.py, with mms/rendering and mms/adaptation): the content is adapted to the limits of handset and
   carrier. A message that cannot fit fails with the reason (E101). After a storage failure it is postponed; after
   three other failures it has failed.
5. Submit attempt (transitions.start_attempts, attempts.py): a row is written before the request leaves, and only for a
   message still under its lease. The send loop (mms/runtime/send_loop.py) then sends the MM7 request that gateway.py
   builds.
6. Result (transitions.record_submit_results, attempts.py): the MMSC's answer completes the attempt and moves the
   message to SUBMITTED (N101), back to ACCEPTED with a retry time, or to FAILED (E101). Without an answer to a request
   that left, it is IN_DOUBT and never sent again by itself; a delivery report, an operator or its expiry ends that.
7. Delivery report (report_endpoint.py, report_matching.py, report_apply.py): a report of the MMSC is stored once,
   matched to its attempt now or on a retry schedule, entered in the handset cache, and moves the message to DELIVERED
   (N102), EXPIRED, REJECTED or FAILED (E102).
8. Charging (charging.py): with each of these steps. Accept reserves; stage 6 charges a submitted message and releases
   the reservation of a failed one; a message that is not delivered is refunded if the account's policy says so.
   statements.py reports an account's month.
9. Postbacks (timeline.py, then mms/postbacks): the postback is a row written with its step; the notifier delivers it
   to the customer's URL and retries.
10. Sweep (sweeper.py): about once a second, moves the messages that no other stage moves: leases of dead workers
    (stage 2 or in doubt), discovery deadlines, unmatched reports, expired messages.
"""
