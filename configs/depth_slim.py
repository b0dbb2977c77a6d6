"""A slim depth network of monodepth2's shape: the bundled one.

    python train.py --config configs/depth_slim.py --workdir runs/depth_slim \\
        --config.content=PHOTOS --config.labels=DISPARITIES --config.style=PAINTINGS

DISPARITIES has a grey picture for each of the PHOTOS, under the same name, bright
where it is near. Painted versions of the photos, made by any method, help it to
see depth in pictures that are no photos:

    python stylize.py --content PHOTOS --style PAINTINGS --output PAINTED
        ... --config.painted=PAINTED

Cost: about 40 minutes on two CPU cores.
"""

from configs import common


def get_config():
    config = common.training("depth", "depth-slim")
    # A picture of the same name for each of config.content; and, under the
    # photos' names with anything after an underscore, painted versions.
    config.labels = ""
    config.painted = ""

    # See nstjax/models/monodepth.py. Disparities end at a quarter of the input's
    # sides: the labels show hardly more, and more than half of the work is saved.
    config.block = "basic"
    config.layers = (2, 2, 2, 2)
    config.stem_width = 16
    config.widths = (16, 32, 64, 128)
    config.decoder_widths = (32, 48, 96)
    config.scales = (2, 3)
    config.input_size = (224, 224)

    # Every tenth photo, in the order of their names, is held out.
    config.validation_every_nth = 10
    config.validation_batches = 18

    # The least share of a photo's sides that a view shows.
    config.least_share = 0.6
    # Strength of random changes of colour.
    config.jitter = 0.3
    # Examples that show a painted version, where there is one; and, of the
    # others, those that take on colours and strokes of one of config.style.
    config.painted_share = 0.5
    config.transfer_share = 0.4

    # Weights of: the loss that knows neither scale nor shift, its gradients, and
    # the plain difference, which keeps the output in the labels' range.
    config.invariant_weight = 1.0
    config.gradient_weight = 0.3
    config.gradient_levels = 3
    config.absolute_weight = 0.5

    config.steps = 8_000
    config.batch_size = 16
    config.learning_rate = 2e-3
    config.schedule = "cosine"
    config.warmup_steps = 300
    config.clip_norm = 1.0
    config.average_decay = 0.998
    config.checkpoint_every = 500
    return config
