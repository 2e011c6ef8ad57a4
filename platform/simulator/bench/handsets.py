"""Messages a second to 20 kinds of handset whose renditions are still to be made, beside messages with warm ones."""

from config.embedded.ports import HOST
from handsets.models import Handset, Profile
from mms.models import Rendition
from simulator.bench import BenchError
from simulator.bench.figures import Figure, Series, alternate, at_least
from simulator.bench.processors import Meter, servers
from simulator.bench.running import Running, running
from simulator.bench.stage import Stage
from simulator.bench.whole_way import CONTENT, PROGRAMS, WARM_UP, Round, analyze, know, make_world, play, requests
from simulator.demo import pictures
from simulator.demo.http_client import call_api
from simulator.numbers import KB

MESSAGES = 2_000  # a round
KINDS = 20
# Their last four digits ask for a telephone that takes anything, and a report that does not name it.
NUMBERS = [f"1212{area}0004" for area in range(200, 1000)]
IDENTITIES = [f"bench kind {kind}" for kind in range(KINDS)]


def cold_renditions(stage: Stage) -> list[Figure]:
    """2,000 messages, all their way, whose template is as new as their renditions. Raises BenchError."""
    with running(stage, slow=0.0) as place:
        make_world(place)
        _make_kinds()
        meter = Meter({**place.processes.pids(*PROGRAMS), **servers()})
        play(place, place.prompt, requests(WARM_UP), meter)
        analyze()
        cold, warm = alternate(
            stage.rounds,
            lambda: _cold(stage, place, meter),
            lambda: play(place, place.prompt, requests(MESSAGES), meter),
        )
    return [
        Figure(
            Series(f"messages to {KINDS} kinds of handset, renditions cold", "messages/s", _rates(cold)),
            Series("messages with warm renditions", "messages/s", _rates(warm)),
            at_least(0.8),
            (f"{MESSAGES:,} messages of one template with a picture of 12 megapixels, each round another",),
        )
    ]


def _rates(rounds: list[Round]) -> tuple[float, ...]:
    return tuple(each.rate for each in rounds)


def _make_kinds() -> None:
    """Kinds of handset, each with a screen and a size of its own, and one for each number."""
    parent = Profile.objects.get(generic=True)
    for kind, identity in enumerate(IDENTITIES):
        width, height = 320 + 64 * kind, 240 + 48 * kind
        profile = Profile.objects.create(
            parent=parent,
            name=identity,
            screen_width=width,
            screen_height=height,
            image_width=width,
            image_height=height,
            message_bytes=(100 + 45 * kind) * KB,
        )
        Handset.objects.create(identity=identity, profile=profile)
    know([(number, IDENTITIES[index % KINDS]) for index, number in enumerate(NUMBERS)])


def _cold(stage: Stage, place: Running, meter: Meter) -> Round:
    """Messages of a template that was never sent before. Raises BenchError if some rendition is not made meanwhile."""
    mms_id, made = _new_template(stage, place), Rendition.objects.count()
    played = play(place, place.prompt, requests(MESSAGES, NUMBERS, mms_id), meter)
    made = Rendition.objects.count() - made
    if made != KINDS:
        raise BenchError(f"{KINDS} kinds of handset were to need a rendition each, and {made} were made")
    return played


def _new_template(stage: Stage, place: Running) -> int:
    folder, name = stage.folder / "pictures", "another.jpg"
    photograph = (folder / pictures.PHOTOGRAPH).read_bytes()
    (folder / name).write_bytes(another(photograph, f"after {Rendition.objects.count()} renditions"))
    request = CONTENT.replace(pictures.PHOTOGRAPH, name).format(f"http://{HOST}:{place.prompt}")
    answer = call_api(place.web, request.encode())
    if "mms-id" not in answer:
        raise BenchError(f"saveMMS was to store a template: {answer}")
    return int(answer["mms-id"])


def another(photograph: bytes, comment: str) -> bytes:
    """The same JPEG in other bytes: with a comment (its COM segment)."""
    segment = b"\xff\xfe" + (len(comment.encode()) + 2).to_bytes(2, "big") + comment.encode()
    return photograph[:2] + segment + photograph[2:]
