"""Painting on a cluster, with Ray or any engine that calls a function on batches.

jax is imported only when painting starts, after a worker has set its number of cores.
"""

from nstjax.cluster.dataset import stylize_dataset
from nstjax.cluster.manifest import read_manifest
from nstjax.cluster.painter import BatchPainter
from nstjax.cluster.results import read_results

__all__ = ["BatchPainter", "read_manifest", "read_results", "stylize_dataset"]
