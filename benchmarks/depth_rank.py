"""How far do depth networks agree with maps of disparity of held-out photos?

    python benchmarks/depth_rank.py slim fast-depth.safetensors \\
        --content PHOTOS --labels DISPARITIES

Every tenth photo, in the order of their names, is what ``configs/depth_slim.py``
holds out. Photos are shown whole, at 224 x 224 pixels; disparities and labels are
compared at a quarter of that, by Spearman's rank correlation (SciPy).
"""

import argparse
import functools

import jax
import numpy as np
from scipy.stats import spearmanr
from tqdm import tqdm

from nstjax.io.pairs import PairSource, Repainting, View, pair_loader
from nstjax.models.depth import disparity
from nstjax.registry import load_depth

_SIZE = (224, 224)
_COMPARED = (1, _SIZE[0] // 4, _SIZE[1] // 4, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="+", help="names or files")
    parser.add_argument("--content", required=True, help="a folder of photos")
    parser.add_argument("--labels", required=True, help="their maps, of the same names")
    parser.add_argument("--every", type=int, default=10, help="which photos to take")
    options = parser.parse_args()
    source = PairSource(options.content, options.labels, "")
    load = pair_loader(View(_SIZE), Repainting())
    numbers = range(0, len(source), options.every)
    examples = [load(source[number], None) for number in numbers]
    for name in options.networks:
        network = load_depth(name)
        see = jax.jit(functools.partial(disparity, spec=network.spec))
        ranks = []
        for example in tqdm(examples, unit="photo"):
            image, label = np.split(example[None] / np.float32(255), [3], axis=3)
            maps = [
                jax.image.resize(x, _COMPARED, "linear").ravel()
                for x in (see(network.params, image), label)
            ]
            ranks.append(spearmanr(*maps).statistic)
        print(
            f"{name}: {np.mean(ranks):.3f} on average, median {np.median(ranks):.3f}, "
            f"of {len(ranks)} photos"
        )


if __name__ == "__main__":
    main()
