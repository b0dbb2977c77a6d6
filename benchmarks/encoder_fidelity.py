"""How much of a large VGG-19's features does a slim one carry?

    python benchmarks/encoder_fidelity.py --student vgg19-slim.safetensors \\
        --teacher vgg19.safetensors --fit PHOTOS PAINTINGS --score PICTURES

For every layer, linear maps (with offset) from the student's channels to the
teacher's are fitted by least squares on the pictures of --fit and scored on
those of --score: R^2 pooled over channels, 1 - sum of squared errors / sum of
squared differences to the channel means. The ceiling is what the best linear
map of the same rank could reach that sees the teacher's features themselves:
their principal components, fitted and scored on the same pictures.
"""

import argparse
import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from nstjax.io.datasets import Crop, cut, open_picture, open_source
from nstjax.io.weights import load_weights
from nstjax.models import vgg

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")


def load_vgg(path: str):
    params, metadata = load_weights(path)
    return params, vgg.VGGSpec.from_dict(metadata.spec)


def read(paths: list[Path], size: int) -> list[np.ndarray]:
    crop = Crop(size=size, short_side=size)
    return [cut(open_picture(path), crop, None) for path in paths]


def every(paths: list[Path], count: int) -> list[Path]:
    """`count` paths spread evenly over the list."""
    return [paths[i] for i in np.linspace(0, len(paths) - 1, count).astype(int)]


@partial(jax.jit, static_argnames=("layers", "student_spec", "teacher_spec"))
def moments(student, teacher, maps, image, *, layers, student_spec, teacher_spec):
    """Second moments of [1, student channels, teacher channels] per layer."""
    mine = vgg.features(student, image, layers, spec=student_spec)
    theirs = vgg.features(teacher, image, layers, spec=teacher_spec)
    result = {}
    for layer in layers:
        target = theirs[layer]
        name = layer.replace("relu", "conv")
        if layer == "relu5_1" and name in maps:
            target = target @ maps[name]["kernel"][0, 0] + maps[name]["bias"]
        ones = jnp.ones((*target.shape[:3], 1))
        joint = jnp.concatenate([ones, mine[layer], target], -1)
        flat = joint.reshape(-1, joint.shape[-1])
        result[layer] = jnp.matmul(flat.T, flat, precision="highest")
    return result


def accumulate(pictures, **networks) -> dict[str, np.ndarray]:
    sums: dict[str, np.ndarray] = {}
    for picture in tqdm(pictures, leave=False):
        image = jnp.asarray(picture[None], jnp.float32) / 255
        for layer, value in moments(image=image, **networks).items():
            sums[layer] = sums.get(layer, 0) + np.asarray(value, np.float64)
    return sums


def explained(fit: np.ndarray, score: np.ndarray, width: int) -> dict[str, float]:
    """R^2 of the fitted map and of principal components of the same rank."""
    first = 1 + width
    design, cross = fit[:first, :first], fit[:first, first:]
    ridge = 1e-6 * np.trace(design) / first * np.eye(first)
    linear = np.linalg.solve(design + ridge, cross)
    target = score[first:, first:]
    error = np.trace(
        target
        - 2 * linear.T @ score[:first, first:]
        + linear.T @ score[:first, :first] @ linear
    )
    count = score[0, 0]
    mean = score[0, first:] / count
    total = np.trace(target) - count * mean @ mean
    fit_count, fit_mean = fit[0, 0], fit[0, first:] / fit[0, 0]
    covariance = fit[first:, first:] / fit_count - np.outer(fit_mean, fit_mean)
    components = np.linalg.eigh(covariance)[1][:, ::-1][:, :width]
    # Scatter of the scored features about the fitted mean.
    shift = mean - fit_mean
    about = target - count * np.outer(mean, mean) + count * np.outer(shift, shift)
    left = np.trace(about) - np.trace(components.T @ about @ components)
    r2, ceiling = 1 - error / total, 1 - left / total
    return {"r2": r2, "ceiling": ceiling, "share": r2 / ceiling}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--student", required=True)
    parser.add_argument("--teacher", required=True, nargs="+", help="shallow first")
    parser.add_argument("--maps", help="the last teacher's linear maps at relu5_1")
    parser.add_argument("--fit", required=True, nargs="+", help="folders")
    parser.add_argument("--score", required=True, nargs="+", help="folders")
    parser.add_argument("--pictures", type=int, default=200, help="fitted on, a folder")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--json", help="also write the figures here")
    options = parser.parse_args()

    student, student_spec = load_vgg(options.student)
    maps = load_weights(options.maps)[0] if options.maps else {}
    fit = [p for f in options.fit for p in every(open_source(f), options.pictures)]
    score = [p for f in options.score for p in open_source(f)]
    fit, score = read(fit, options.size), read(score, options.size)

    table, wanted = {}, [x for x in LAYERS if x in student_spec.layers]
    for path in options.teacher:
        teacher, teacher_spec = load_vgg(path)
        layers = tuple(x for x in wanted if x in teacher_spec.layers and x not in table)
        if not layers:
            continue
        networks = {
            "student": student,
            "teacher": teacher,
            "maps": maps,
            "layers": layers,
            "student_spec": student_spec,
            "teacher_spec": teacher_spec,
        }
        on_fit = accumulate(fit, **networks)
        on_score = accumulate(score, **networks)
        for layer in layers:
            width = student_spec.width(layer)
            table[layer] = explained(on_fit[layer], on_score[layer], width)
    print("| layer | R^2 | ceiling | share |\n|---|---|---|---|")
    for layer in wanted:
        row = table[layer]
        print(
            f"| {layer} | {row['r2']:.3f} | {row['ceiling']:.3f} | {row['share']:.3f} |"
        )
    if options.json:
        Path(options.json).write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
