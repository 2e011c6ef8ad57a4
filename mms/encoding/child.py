"""`python -m mms.encoding.child FILE KIND FOLDER SECONDS`: encodes one audio or video, and tells of it as JSON.

A process of its own, without Django, because a codec that meets hostile bytes may crash, hang or take all memory:
then this process ends, and with it one encoding.
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

# Bytes of memory. A plain 4K video takes 240 MB; ten bits a colour and many reference frames take more.
MEMORY_MAX = 1 << 30


def main(file: str, kind: str, folder: str, seconds: str) -> dict[str, Any]:
    """What was made, or the problem in a sentence for the customer."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX, MEMORY_MAX))
    # It ends the process whatever a codec does, and even if the worker that waits for us is gone.
    signal.alarm(int(seconds))
    av.logging.set_level(None)
    try:
        made = transcoding.encode(Path(file), Kind(kind), Path(folder))
    except TranscodingError as problem:
        return {"problem": str(problem)}
    return {"seconds": max(form.seconds for form in made), "variants": [_describe(form) for form in made]}


def _describe(form: EncodedFile) -> dict[str, Any]:
    return {
        "recipe": form.output_format.recipe,
        "mime_type": form.output_format.mime_type,
        "file": str(form.file),
        "width": form.width,
        "height": form.height,
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - the worker reads it
