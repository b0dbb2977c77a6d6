"""The options of ``nstjax stylize``."""

from nstjax import __version__
from nstjax.cli import parsing
from nstjax.cli.clips import add_clip_options
from nstjax.cli.cluster import add_cluster_options
from nstjax.cli.compile_cache import add_cache_option

# What a sheet can show a photograph in.
SHEETS = ("styles", "methods")

_DESCRIPTION = """\
Paints one picture in the style of another.

Without any option it paints a demonstration. Pictures are files, folders
(every picture in them), or names of examples that come with the package. The
content may also be a clip.
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
        help="what to paint: files, folders, examples, or - for standard input",
    )
    pictures.add_argument(
        "--style",
        nargs="+",
        action="extend",
        metavar="PICTURE",
        help="how to paint it; several are blended; or a saved .style",
    )
    pictures.add_argument(
        "--style-blend",
        nargs="+",
        type=parsing.weight,
        metavar="WEIGHT",
        help="a weight for each style (default: equal)",
    )
    pictures.add_argument(
        "--mask",
        nargs="+",
        metavar="PICTURE",
        help="white where the first of two styles goes, black where the second; or "
        "one for each style, white where it goes; or depth: the first style goes where "
        "the content is near, the second where it is far",
    )
    pictures.add_argument(
        "--save-style",
        metavar="FILE.style",
        help="keep the style for later --style, without its picture (adain)",
    )
    pictures.add_argument(
        "--output",
        metavar="FILE",
        help="the result, .png .jpg .webp or .tif; - for standard output; a folder for "
        "several",
    )
    pictures.add_argument(
        "--format",
        choices=("png", "jpg", "webp", "tif"),
        help="of results that go to a folder, to -, or have no --output (default png)",
    )
    pictures.add_argument(
        "--overwrite", action="store_true", help="replace existing outputs"
    )
    pictures.add_argument(
        "--size",
        type=parsing.size,
        metavar="N|WxH",
        help="the result's longer side, or both sides (default: the content's, for "
        "which methods that optimise enlarge what they made at 512 pixels)",
    )
    files = parser.add_argument_group("files of pictures")
    files.add_argument(
        "--background",
        type=parsing.color,
        metavar="COLOR",
        help="fill what is transparent in the content, such as with white or #ff8800 "
        "(default: it stays so where the output can hold it)",
    )
    files.add_argument(
        "--exif",
        choices=("drop", "no-location", "keep"),
        help="what the result says of when and by which camera the content was taken: "
        "nothing (default), all but the location, or all",
    )
    files.add_argument(
        "--quality",
        type=parsing.quality,
        metavar="Q",
        help="of .jpg and .webp, from 1 to 100 (default 95), or of a coded clip "
        "(default 65)",
    )
    files.add_argument(
        "--chroma",
        choices=("4:4:4", "4:2:2", "4:2:0"),
        help="a .jpg's samples of colour: all (default), half or a quarter",
    )
    sheets = parser.add_argument_group("sheets")
    sheets.add_argument(
        "--sheet",
        nargs="?",
        const=SHEETS[0],
        choices=SHEETS,
        help="one labelled picture of the content in each --style (default: in every "
        "example style), or by each of the methods",
    )
    sheets.add_argument(
        "--sheet-columns",
        type=parsing.count,
        metavar="N",
        help="pictures beside each other (default: what makes a wide sheet)",
    )
    method = parser.add_argument_group("method")
    method.add_argument(
        "--method",
        metavar="NAME",
        help="in one pass: adain (default), adain-lap, adain-depth or "
        "style-swap-net; by optimisation: gatys, lapstyle, gatys-depth or style-swap",
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
        help="side of the patches, in feature positions (4 pixels); larger ones bring "
        "more of the style's shapes (style-swap; default 3)",
    )
    method.add_argument(
        "--stride",
        type=parsing.count,
        metavar="N",
        help="positions from one patch to the next (style-swap; default 1)",
    )
    method.add_argument(
        "--style-scale",
        type=parsing.weight,
        metavar="S",
        help="size at which the style is seen, so of its strokes (default 1)",
    )
    method.add_argument(
        "--stroke-scale",
        type=parsing.weight,
        metavar="S",
        help="size of the strokes in the result, however large that is: those of the "
        "style seen with a shorter side of 512 pixels times S (docs/options.md)",
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
        help="of gatys and the like: best (default), vgg19 (best with that network), "
        "reference (as published code) or paper",
    )
    method.add_argument(
        "--config",
        metavar="FILE[:PRESET]",
        help="a config in place of the method's own; --config.KEY=VALUE changes "
        "any leaf, with or without it",
    )
    method.add_argument(
        "--iterations",
        type=parsing.count,
        metavar="N",
        help="evaluations at full size",
    )
    method.add_argument(
        "--optimizer", metavar="NAME", help="adam, lbfgs or torch_lbfgs"
    )
    method.add_argument(
        "--init",
        metavar="WHAT",
        help="begin from content, recoloured (the content in the "
        "style's colours), adain (what that method paints), style, noise or a picture",
    )
    for name, text in (
        ("content", "likeness to the content"),
        ("style", "likeness to the style"),
        ("lap", "likeness of edges (Laplacian)"),
        ("tv", "smoothness (total variation)"),
        ("depth", "likeness of depth: what is near stays near"),
    ):
        method.add_argument(
            f"--{name}-weight", type=parsing.weight, metavar="W", help=text
        )
    method.add_argument(
        "--seed", type=parsing.whole, default=0, metavar="N", help="of all randomness"
    )
    method.add_argument(
        "--encoder",
        metavar="NAME|FILE",
        help="the VGG-19 or VGG-16: the name of a bundled or published one, or a "
        "converted file",
    )
    method.add_argument(
        "--decoder",
        metavar="NAME|FILE",
        help="the decoder: a bundled one's name, or one trained or converted for the "
        "encoder (adain, style-swap-net)",
    )
    method.add_argument(
        "--depth-model",
        metavar="NAME|FILE",
        help="the network that sees depth: slim, the bundled one (default), a "
        "published one such as monodepth2, or a converted file",
    )
    machine = parser.add_argument_group("memory and start")
    machine.add_argument(
        "--max-memory",
        type=parsing.memory,
        metavar="AMOUNT",
        help="what the whole process may take, such as 2GB or 800MB; larger pictures "
        "are painted in tiles, to the same result (adain, style-swap-net; default: a "
        "share of the available memory)",
    )
    machine.add_argument(
        "--batch-size",
        type=parsing.count,
        metavar="N",
        help="pictures of a folder that are painted together where their sizes are "
        "about equal (adain; default 1, on accelerators 8 for each)",
    )
    add_cache_option(machine)
    add_clip_options(parser)
    add_cluster_options(parser)
    watching = parser.add_argument_group("watching and stopping")
    watching.add_argument(
        "--show-depth",
        action="store_true",
        help="also write the depth seen in the content and in the result, as "
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
        help="keep the picture so far in this file, from the first evaluation on",
    )
    watching.add_argument(
        "--time-limit",
        type=parsing.weight,
        metavar="SECONDS",
        help="stop optimising after so long, compiling included, and keep the picture "
        "as it is; --resume goes on",
    )
    watching.add_argument(
        "--trace",
        metavar="FILE.json",
        help="write every evaluation's losses (lbfgs: those of the points that it "
        "accepts), the options, versions and weights",
    )
    watching.add_argument(
        "--resume",
        action="store_true",
        help="go on with a picture or clip that was stopped, by Ctrl-C, a signal or "
        "--time-limit",
    )
    watching.add_argument(
        "--json",
        action="store_true",
        help="print a line of JSON for each picture: input, styles, output, size, "
        "method, seconds, seed; or its error",
    )
    watching.add_argument(
        "--quiet", action="store_true", help="no progress bar, no messages"
    )
    parser.set_defaults(piped=False)
    parser.add_argument("--version", action="version", version=__version__)
    return parser
