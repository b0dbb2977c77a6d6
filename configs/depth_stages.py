"""The first stages of the slim depth network's encoder, one after the other.

    python -m converters.fast_depth PUBLISHED.npz fast-depth.safetensors
    python train.py --config configs/depth_stages.py:stage1 --workdir runs/stage1 \\
        --config.content=PHOTOS --config.style=PAINTINGS \\
        --config.teacher=fast-depth.safetensors
    python train.py --config configs/depth_stages.py:stage2 --workdir runs/stage2 \\
        ... --config.initial=runs/stage1/depth-stages.safetensors
    python train.py --config configs/depth_stages.py:stage3 --workdir runs/stage3 \\
        ... --config.initial=runs/stage2/depth-stages.safetensors
    python train.py --config configs/depth_slim.py:taught --workdir runs/depth_slim \\
        ... --config.initial=runs/stage3/depth-stages.safetensors

The whole network learns its depth from there.

Presets:
    stage1: the stem and the first stage, on parts of 128 x 128 pixels.
    stage2: what was learnt before and the second stage, on larger parts.
    stage3: the third stage, on whole views, while the first two stay as they are.
"""

from configs import common


def get_config(preset="stage1"):
    presets = {"stage1": stage1, "stage2": stage2, "stage3": stage3}
    return common.preset_config(base(), preset, presets)


def base():
    config = common.training("depth_stages", "depth-stages")
    # A converted FastDepth.
    config.teacher = ""
    common.depth_network(config)
    # How many of the encoder's stages are trained, how many of these stay as they
    # began, and on parts of which side, in pixels of a view of 224. A view shows this
    # share of a picture's sides or more.
    config.stages = 1
    config.frozen_stages = 0
    config.part_size = 128
    config.least_share = 0.5
    # Strength of random changes of colour, before both networks look.
    config.jitter = 0.2

    # As configs/depth_slim.py does, so that these photos are new to its network.
    config.validation_every_nth = 10
    config.validation_batches = 16

    config.steps = 4_000
    config.batch_size = 4
    config.learning_rate = 1e-2
    config.schedule = "cosine"
    config.warmup_steps = 100
    config.clip_norm = 1.0
    config.average_decay = 0.998
    config.checkpoint_every = 500
    return config


def stage1(config):
    del config  # the values above


def stage2(config):
    config.stages = 2
    config.part_size = 160


def stage3(config):
    # There are few cells at a sixteenth of the sides, so it takes many pictures, and
    # the first two stages, which cost most, are good enough by then.
    config.stages = 3
    config.frozen_stages = 2
    config.part_size = 224
    config.batch_size = 8
    config.learning_rate = 8e-3
