"""Leaves that every training config has. Recipes start from these."""

from ml_collections import ConfigDict


def training(task: str, name: str) -> ConfigDict:
    """A training config's common leaves, each explained where it stands."""
    config = ConfigDict()
    config.task = task
    # The exported file is WORKDIR/name.safetensors.
    config.name = name
    config.seed = 0

    # Pictures. "folders": the two below, each a folder of pictures (searched
    # with its subfolders) or a prepared TFDS directory. "demo": the few that
    # the package ships.
    config.data = "folders"
    config.content = ""
    config.style = ""
    # The shorter side is scaled to short_side (up to largest_scale times it, at
    # random), then a square of crop_size is cut out.
    config.short_side = 512
    config.crop_size = 256
    config.largest_scale = 1.0
    # Every n-th picture is held out for validation.
    config.validation_every_nth = 50
    config.validation_batches = 4

    config.steps = 160_000
    config.batch_size = 8
    # Batches averaged into one update; steps count batches.
    config.accumulate_steps = 1
    config.learning_rate = 1e-4
    # "constant", "inverse_time" (with decay_rate) or "cosine" (down to zero
    # at schedule_steps, by default at steps).
    config.schedule = "constant"
    config.decay_rate = 0.0
    config.schedule_steps = 0
    config.warmup_steps = 0
    # Largest gradient norm; 0 for no clipping.
    config.clip_norm = 0.0
    # Decay of the averaged weights, which are what is validated and exported;
    # 0 exports the weights themselves.
    config.average_decay = 0.0
    # "float32" or "bfloat16".
    config.compute_dtype = "float32"

    config.log_every = 50
    # Validates, saves a checkpoint, and draws a sample.
    config.checkpoint_every = 1000
    # Newest checkpoints kept, besides the best one.
    config.keep = 2
    # Threads that read pictures.
    config.threads = 2
    config.export_dtype = "float16"
    return config
