"""``nstjax doctor``: shows what is installed, or identifies a weight file."""

from collections.abc import Sequence

from nstjax.cli.errors import reports_errors
from nstjax.cli.parsing import Parser
from nstjax.errors import NstjaxError

_DESCRIPTION = """\
Without a file, shows versions, devices and fetched networks. With a file, shows
which network it holds, its response to an example picture, and whether it works
for a method.
"""
_EXAMPLES = """\
examples:
  nstjax doctor
  nstjax doctor vgg19-dcbb9e9d.pth --method gatys
  nstjax doctor decoder.pth --encoder vgg_normalised.pth
"""


def make_parser() -> Parser:
    """The command's options."""
    parser = Parser(prog="nstjax doctor", description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="a published or converted weight file, or a network's name",
    )
    parser.add_argument(
        "--method", metavar="NAME", help="check whether the file works for this method"
    )
    parser.add_argument(
        "--encoder",
        metavar="FILE",
        help="an encoder to test a decoder with: how well they reconstruct a picture",
    )
    return parser


@reports_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns status 2 if the file cannot be used."""
    options = make_parser().parse_args(arguments)
    if options.file is None:
        if options.method or options.encoder:
            raise NstjaxError("--method and --encoder apply to a weight file; name one")
        from nstjax.weights.inspection.system import describe_system

        _print_facts(describe_system())
        return 0
    from nstjax.weights.inspection.weights import inspect_weights

    report = inspect_weights(
        options.file, method=options.method, encoder=options.encoder
    )
    _print_facts(report.facts)
    _print_activations(report.activations)
    for warning in report.warnings:
        print(f"warning: {warning}")
    if report.problem:
        raise NstjaxError(report.problem)
    print(f"It works for {options.method}." if options.method else "It can be used.")
    return 0


def _print_facts(facts) -> None:
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        print(f"{name:{width}}  {value}")


def _print_activations(activations) -> None:
    if not activations:
        return
    print(f"\n{'layer':10}{'mean':>10}{'rms':>10}{'largest':>10}{'silent':>10}")
    for a in activations:
        print(
            f"{a.layer:10}{a.mean:10.3g}{a.rms:10.3g}{a.largest:10.3g}{a.silent:10.1%}"
        )
    print("(of an example picture; silent: channels that are zero everywhere)\n")


if __name__ == "__main__":
    raise SystemExit(main())
