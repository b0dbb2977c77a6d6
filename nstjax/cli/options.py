"""The options of ``nstjax stylize``."""

from nstjax import __version__
from nstjax.cli import parsing
from nstjax.cli.clips import add_clip_options
from nstjax.cli.cluster import add_cluster_options
from nstjax.cli.compile_cache import add_cache_option

# What a sheet can vary.
SHEETS = ("styles", "methods")

_DESCRIPTION = """\
Paints one picture in the style of another.

Without options it paints a demonstration. Pictures are files, folders (every
picture in them), or names of examples that come with the package. The content
may also be a clip.
"""
_EXAMPLES = """\
examples:
  python stylize.py
  python stylize.py --content photo.jpg --style painting.jpg --output out.png
  python stylize.py --content photo.jpg --style night wave --style-blend 2 1
  python stylize.py --content photo.jpg --style night wave --mask depth
  python stylize.py --method lapstyle --content photo.jpg --style night
  python stylize.py --content photos/ --style painting.jpg --output painted/
  python stylize.py --content *.jpg --style night --output painted/ --json
  python stylize.py --content - --style night --output - < photo.jpg > painted.png
  python stylize.py --content photo.jpg --sheet
  python stylize.py --content clip.mp4 --style night --output painted.mp4
  python stylize.py --config configs/gatys.py:reference --config.tv_weight=0.1
"""


def make_parser() -> parsing.Parser:
    """The command's options."""
    parser = parsing.Parser(
        prog="stylize.py", description=_DESCRIPTION, epilog=_EXAMPLES
    )
    pictures = parser.add_argument_group("pictures")
    pictures.add_argument(
        "--content",
        nargs="+",
        action="extend",
        metavar="PICTURE",
        help="the pictures to paint: files, folders, examples, or - for standard input",
    )
    pictures.add_argument(
        "--style",
        nargs="+",
        action="extend",
        metavar="PICTURE",
        help="the style: pictures or saved .style files; several are blended",
    )
    pictures.add_argument(
        "--style-blend",
        nargs="+",
        type=parsing.weight,
        metavar="WEIGHT",
        help="one weight per style (default: equal)",
    )
    pictures.add_argument(
        "--mask",
        nargs="+",
        metavar="PICTURE",
        help="where each style goes: one mask for two styles (white: first, black: "
        "second), or one mask per style (white: here), or depth (first style near, "
        "second style far)",
    )
    pictures.add_argument(
        "--save-style",
        metavar="FILE.style",
        help="save the style for later use with --style, without its picture (adain)",
    )
    pictures.add_argument(
        "--output",
        metavar="FILE",
        help="the result: .png, .jpg, .webp or .tif; - for standard output; a folder "
        "for several",
    )
    pictures.add_argument(
        "--format",
        choices=("png", "jpg", "webp", "tif"),
        help="format of results in a folder, on -, or without --output (default png)",
    )
    pictures.add_argument(
        "--overwrite", action="store_true", help="replace existing outputs"
    )
    pictures.add_argument(
        "--size",
        type=parsing.size,
        metavar="N|WxH",
        help="the result's longer side, or both sides (default: the content's size; "
        "gatys and the like then work at up to 512 pixels and enlarge the result)",
    )
    files = parser.add_argument_group("image files")
    files.add_argument(
        "--background",
        type=parsing.color,
        metavar="COLOR",
        help="fill transparent areas of the content with a colour such as white or "
        "#ff8800 (default: they stay transparent if the output format allows it)",
    )
    files.add_argument(
        "--exif",
        choices=("drop", "no-location", "keep"),
        help="which EXIF data of the content the result keeps: none (default), all "
        "but the location, or all",
    )
    files.add_argument(
        "--quality",
        type=parsing.quality,
        metavar="Q",
        help="quality of .jpg and .webp, from 1 to 100 (default 95), or of a clip "
        "(default 65)",
    )
    files.add_argument(
        "--chroma",
        choices=("4:4:4", "4:2:2", "4:2:0"),
        help="chroma subsampling of .jpg: full resolution (default), half or a quarter",
    )
    sheets = parser.add_argument_group("sheets")
    sheets.add_argument(
        "--sheet",
        nargs="?",
        const=SHEETS[0],
        choices=SHEETS,
        help="one labelled sheet that shows the content in each --style (default: "
        "every example style), or painted by every method",
    )
    sheets.add_argument(
        "--sheet-columns",
        type=parsing.count,
        metavar="N",
        help="number of columns (default: chosen for a wide sheet)",
    )
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method",
        metavar="NAME",
        help="fast, in a single pass: adain (default), adain-lap, adain-depth or "
        "style-swap-net; slower, by optimisation: gatys, lapstyle, gatys-depth or "
        "style-swap",
    )
    method.add_argument(
        "--alpha",
        type=parsing.share,
        metavar="A",
        help="strength of the style, from 0 to 1 (adain, style-swap; default 1)",
    )
    method.add_argument(
        "--patch-size",
        type=parsing.count,
        metavar="N",
        help="side of the patches in feature positions (4 pixels each); larger "
        "patches keep more of the style's shapes (style-swap; default 3)",
    )
    method.add_argument(
        "--stride",
        type=parsing.count,
        metavar="N",
        help="step from one patch to the next, in feature positions (style-swap; "
        "default 1)",
    )
    method.add_argument(
        "--style-scale",
        type=parsing.weight,
        metavar="S",
        help="scale of the style picture, and so of its strokes (default 1)",
    )
    method.add_argument(
        "--stroke-scale",
        type=parsing.weight,
        metavar="S",
        help="size of the strokes, independent of the result's size: the style is "
        "scaled to a shorter side of 512 pixels times S (docs/options.md)",
    )
    method.add_argument(
        "--preserve-color",
        metavar="HOW",
        help="none (default), luminance (keep the content's colours) or histogram "
        "(recolour the style like the content)",
    )
    method.add_argument(
        "--preset",
        metavar="NAME",
        help="settings of gatys and the like: best (default), vgg19 (best with that "
        "network), reference (as the published code) or paper",
    )
    method.add_argument(
        "--config",
        metavar="FILE[:PRESET]",
        help="use this config instead of the method's own; --config.KEY=VALUE changes "
        "a single setting, with or without --config",
    )
    method.add_argument(
        "--iterations",
        type=parsing.count,
        metavar="N",
        help="number of evaluations at full size",
    )
    method.add_argument(
        "--optimizer", metavar="NAME", help="the optimiser: adam, lbfgs or torch_lbfgs"
    )
    method.add_argument(
        "--init",
        metavar="WHAT",
        help="start from content, recoloured (the content in the style's colours), "
        "adain (that method's result), style, noise or a picture",
    )
    for name, text in (
        ("content", "weight of the content loss"),
        ("style", "weight of the style loss"),
        ("lap", "weight of the Laplacian loss, which keeps edges"),
        ("tv", "weight of total variation; larger is smoother"),
        ("depth", "weight of the depth loss: what is near stays near"),
    ):
        method.add_argument(
            f"--{name}-weight", type=parsing.weight, metavar="W", help=text
        )
    method.add_argument(
        "--seed",
        type=parsing.whole,
        default=0,
        metavar="N",
        help="seed of all random numbers (default 0)",
    )
    method.add_argument(
        "--encoder",
        metavar="NAME|FILE",
        help="the VGG-19 or VGG-16: a bundled or published network's name, or a "
        "converted file",
    )
    method.add_argument(
        "--decoder",
        metavar="NAME|FILE",
        help="the decoder: a bundled network's name, or a file trained or converted "
        "for the encoder (adain, style-swap-net)",
    )
    method.add_argument(
        "--depth-model",
        metavar="NAME|FILE",
        help="the depth network: slim (bundled, default), a published one such as "
        "monodepth2, or a converted file",
    )
    machine = parser.add_argument_group("memory and start-up")
    machine.add_argument(
        "--max-memory",
        type=parsing.memory,
        metavar="AMOUNT",
        help="memory limit of the whole process, such as 2GB or 800MB; larger "
        "pictures are painted in tiles, with the same result (adain, style-swap-net; "
        "default: a share of the available memory)",
    )
    machine.add_argument(
        "--batch-size",
        type=parsing.count,
        metavar="N",
        help="how many pictures of similar size to paint together (folders, adain; "
        "default 1, or 8 per accelerator)",
    )
    add_cache_option(machine)
    add_clip_options(parser)
    add_cluster_options(parser)
    watching = parser.add_argument_group("progress, stopping and resuming")
    watching.add_argument(
        "--show-depth",
        action="store_true",
        help="also write the depth maps of the content and the result, as "
        "..._content_disparity and ..._disparity",
    )
    watching.add_argument(
        "--save-every",
        type=parsing.count,
        metavar="N",
        help="also write the picture after every N evaluations",
    )
    watching.add_argument(
        "--preview",
        metavar="FILE",
        help="keep writing the picture so far to this file, from the first evaluation "
        "on",
    )
    watching.add_argument(
        "--time-limit",
        type=parsing.weight,
        metavar="SECONDS",
        help="stop optimising after this time, including compilation, and keep the "
        "picture so far; --resume continues",
    )
    watching.add_argument(
        "--trace",
        metavar="FILE.json",
        help="write the losses of every evaluation (lbfgs: of every accepted point), "
        "the options, versions and weights",
    )
    watching.add_argument(
        "--resume",
        action="store_true",
        help="continue a picture or clip that was stopped by Ctrl-C, a signal or "
        "--time-limit",
    )
    watching.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON for each picture: input, styles, output, size, "
        "method, seconds, seed; or the error",
    )
    watching.add_argument(
        "--quiet", action="store_true", help="no progress bar and no messages"
    )
    parser.set_defaults(piped=False)
    parser.add_argument("--version", action="version", version=__version__)
    return parser
