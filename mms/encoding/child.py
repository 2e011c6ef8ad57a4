"""`python -m mms.encoding.child FILE KIND FOLDER SECONDS`: encodes one audio or video and prints the result as JSON.

A separate process without Django, because a codec may crash, hang or exhaust memory on hostile bytes. Only this one
encoding is lost then.
"""

import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import av

from mms.adaptation import transcoding
from mms.adaptation.content import Kind
from mms.adaptation.transcoding import EncodedFile, TranscodingError

# Bytes. A plain 4K video needs 240 MB; ten bits per colour and many reference frames need more.
MEMORY_MAX = 1 << 30


def main(file: str, kind: str, folder: str, seconds: str) -> dict[str, Any]:
    """Encode the file; return the variants, or the problem in a sentence for the customer."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX, MEMORY_MAX))
    # SIGALRM ends the process even if the codec hangs or the worker is gone.
    signal.alarm(int(seconds))
    av.logging.set_level(None)
    try:
        encoded = transcoding.encode(Path(file), Kind(kind), Path(folder))
    except TranscodingError as problem:
        return {"problem": str(problem)}
    return {"seconds": max(file.seconds for file in encoded), "variants": [_describe(file) for file in encoded]}


def _describe(encoded: EncodedFile) -> dict[str, Any]:
    return {
        "recipe": encoded.output_format.recipe,
        "mime_type": encoded.output_format.mime_type,
        "file": str(encoded.file),
        "width": encoded.width,
        "height": encoded.height,
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - the worker reads it
