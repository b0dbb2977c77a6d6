"""Which of several trained decoders of AdaIN paints best? For sweeps of weights.

    python benchmarks/compare_decoders.py runs/*/adain-slim.safetensors \\
        --content PHOTOS --style PAINTINGS --judge judge.safetensors

Paints every content in every style with each decoder, by the protocol of
docs/evaluation.md, and prints a row of mean figures for each as Markdown. Unlike
evaluate.py it takes files of the same name, keeps no pictures, and does not resume.
"""

import argparse
from pathlib import Path

import numpy as np
from adain_pairs import encode_styles, paint
from tqdm import tqdm

from nstjax import one_pass
from nstjax.evaluation.depth import make_depth_gauge
from nstjax.evaluation.features import make_feature_gauge
from nstjax.evaluation.judges import make_free_gauges
from nstjax.evaluation.protocol import read_inputs
from nstjax.evaluation.tables import markdown, number
from nstjax.registry import load_depth, load_encoder

SHOWN = (
    "content",
    "style",
    "lap4",
    "lap16",
    "edge_f1",
    "color",
    "texture",
    "flat_noise",
    "grid",
    "depth_error",
    "depth_rank",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("decoders", nargs="+", help="names or files")
    parser.add_argument("--content", nargs="+", required=True)
    parser.add_argument("--style", nargs="+", required=True)
    parser.add_argument("--judge", default="vgg19-slim", help="a name or a file")
    parser.add_argument("--depth-judge", nargs="*", default=[], help="names or files")
    parser.add_argument("--metric", nargs="*", default=[], help="as for evaluate.py")
    parser.add_argument("--size", type=int, default=384)
    options = parser.parse_args()
    contents, styles = (
        read_inputs(arguments, size=options.size, on_unreadable=print)
        for arguments in (options.content, options.style)
    )
    gauges = [
        make_feature_gauge(load_encoder(options.judge), name="judge"),
        *(
            make_depth_gauge(load_depth(judge), name=Path(judge).stem)
            for judge in options.depth_judge
        ),
        *make_free_gauges(options.metric),
    ]
    shown = {*SHOWN, *(place.partition(":")[2] for place in options.metric)}
    keys = [
        column.key
        for gauge in gauges
        for column in gauge.columns
        if column.metric in shown
    ]
    seen = [[gauge.of_style(style.image) for gauge in gauges] for style in styles]
    encoder = load_encoder("vgg19-slim")
    networks = [one_pass.load_networks(encoder, name) for name in options.decoders]
    saved = encode_styles(styles, networks=networks[0], size=options.size)
    figures = [[] for _ in networks]
    for content in tqdm(contents, unit="content"):
        of_content = [gauge.of_content(content.image) for gauge in gauges]
        for network, rows in zip(networks, figures, strict=True):
            for style, of_style in zip(saved, seen, strict=True):
                result = paint(content, style, networks=network)
                found = {}
                for gauge, one, other in zip(gauges, of_content, of_style, strict=True):
                    found |= gauge.measure(result, one, other)
                rows.append([found[key] for key in keys])
    print(f"{len(contents)} contents x {len(styles)} styles, judge {options.judge}\n")
    lines = [
        [name, *(number(value) for value in np.mean(rows, axis=0))]
        for name, rows in zip(options.decoders, figures, strict=True)
    ]
    print(markdown(["decoder", *(key.removesuffix("@judge") for key in keys)], lines))


if __name__ == "__main__":
    main()
