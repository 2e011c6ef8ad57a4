"""Benchmark of cold renditions: messages per second to 20 handset models, with and without existing renditions."""

from config.embedded.ports import HOST
from handsets.models import Handset, Profile
from mms.models import Rendition
from simulator.bench import BenchError
from simulator.bench.cpu_time import CpuMeter, server_pids
from simulator.bench.end_to_end import (
    CONTENT,
    PROGRAMS,
    WARM_UP,
    Round,
    analyze,
    prepare_data,
    requests,
    run_round,
    set_handsets,
)
from simulator.bench.environment import Environment
from simulator.bench.figures import Figure, Series, alternate, at_least
from simulator.bench.platform_processes import RunningPlatform, running_platform
from simulator.demo import pictures
from simulator.demo.http_client import call_api
from simulator.numbers import KB

MESSAGES = 2_000  # per round
MODELS = 20
# The last four digits select a handset without restrictions, and reports that do not name it.
NUMBERS = [f"1212{area}0004" for area in range(200, 1000)]
IDENTITIES = [f"bench model {model}" for model in range(MODELS)]


def measure_cold_renditions(environment: Environment) -> list[Figure]:
    """Compare 2,000 messages of a new template with messages whose renditions exist. Raises BenchError."""
    with running_platform(environment, slow_delay=0.0) as platform:
        prepare_data(platform)
        _create_models()
        meter = CpuMeter({**platform.processes.pids(*PROGRAMS), **server_pids()})
        run_round(platform, platform.fast_port, requests(WARM_UP), meter)
        analyze()
        cold, warm = alternate(
            environment.rounds,
            lambda: _measure_cold(environment, platform, meter),
            lambda: run_round(platform, platform.fast_port, requests(MESSAGES), meter),
        )
    return [
        Figure(
            Series(f"messages to {MODELS} handset models, cold renditions", "messages/s", _rates(cold)),
            Series("warm renditions", "messages/s", _rates(warm)),
            at_least(0.8),
            (f"{MESSAGES:,} messages per round, each round with a new template with a 12-megapixel picture",),
        )
    ]


def _rates(rounds: list[Round]) -> tuple[float, ...]:
    return tuple(each.rate for each in rounds)


def _create_models() -> None:
    """Create the handset models with different limits, and assign one to each number."""
    parent = Profile.objects.get(generic=True)
    for model, identity in enumerate(IDENTITIES):
        width, height = 320 + 64 * model, 240 + 48 * model
        profile = Profile.objects.create(
            parent=parent,
            name=identity,
            screen_width=width,
            screen_height=height,
            image_width=width,
            image_height=height,
            message_bytes=(100 + 45 * model) * KB,
        )
        Handset.objects.create(identity=identity, profile=profile)
    set_handsets([(number, IDENTITIES[index % MODELS]) for index, number in enumerate(NUMBERS)])


def _measure_cold(environment: Environment, platform: RunningPlatform, meter: CpuMeter) -> Round:
    """Send messages of a new template. Raises BenchError unless each model needs exactly one new rendition."""
    mms_id, existing = _create_template(environment, platform), Rendition.objects.count()
    result = run_round(platform, platform.fast_port, requests(MESSAGES, NUMBERS, mms_id), meter)
    created = Rendition.objects.count() - existing
    if created != MODELS:
        raise BenchError(f"expected one rendition for each of {MODELS} handset models, but {created} were created")
    return result


def _create_template(environment: Environment, platform: RunningPlatform) -> int:
    folder, name = environment.folder / "pictures", "variant.jpg"
    photograph = (folder / pictures.PHOTOGRAPH).read_bytes()
    (folder / name).write_bytes(with_comment(photograph, f"after {Rendition.objects.count()} renditions"))
    request = CONTENT.replace(pictures.PHOTOGRAPH, name).format(f"http://{HOST}:{platform.fast_port}")
    answer = call_api(platform.web_port, request.encode())
    if "mms-id" not in answer:
        raise BenchError(f"saveMMS did not store a template: {answer}")
    return int(answer["mms-id"])


def with_comment(photograph: bytes, comment: str) -> bytes:
    """Return the JPEG with a comment (a COM segment): the same picture in different bytes."""
    segment = b"\xff\xfe" + (len(comment.encode()) + 2).to_bytes(2, "big") + comment.encode()
    return photograph[:2] + segment + photograph[2:]
