"""A run on a local cluster in which one picture kills its worker.

python deadly.py FOLDER STYLE OUTPUT WORKERS
"""

import json
import os
import signal
import sys

from nstjax.cluster import BatchPainter, dataset, read_manifest
from nstjax.cluster.run import paint_rows


class DeadlyPainter(BatchPainter):
    """Dies of a picture by its name, as by one that takes all memory."""

    def __call__(self, batch):
        if any("deadly" in content for content in batch["content"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


if __name__ == "__main__":
    folder, style, output, workers = sys.argv[1:]
    dataset.BatchPainter = DeadlyPainter
    records = []
    paint_rows(
        read_manifest(folder, style=style, output=output),
        address="auto",
        workers=int(workers),
        results=f"{output}/results",
        on_record=records.append,
        on_start=lambda left, workers: None,
    )
    print(json.dumps(records))
