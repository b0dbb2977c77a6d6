"""Painting on a cluster: by Ray, or by whatever engine calls a function on batches.

Nothing here imports jax before it paints: a worker first says how many cores it has.
"""

from nstjax.cluster.dataset import stylize_dataset
from nstjax.cluster.manifest import read_manifest
from nstjax.cluster.painter import BatchPainter
from nstjax.cluster.results import read_results

__all__ = ["BatchPainter", "read_manifest", "read_results", "stylize_dataset"]
