"""A slim depth network.

    python train.py --config configs/depth_slim.py --workdir runs/depth_slim \\
        --config.content=PHOTOS --config.labels=DISPARITIES --config.style=PAINTINGS \\
        --config.teacher=fast-depth.safetensors

DISPARITIES has a grey picture for each of the PHOTOS, under the same name, bright
where it is near. Painted versions of the photos, made by any method, help it to
see depth in pictures that are no photos:

    python stylize.py --content PHOTOS --style PAINTINGS --output PAINTED
        ... --config.painted=PAINTED

Presets:
    solved: a FastDepth, converted, labels every view of photos and paintings itself
        and gives hints; DISPARITIES are for validation only. The network is of a
        MobileNet's units and begins with every layer solved for to explain one of
        the FastDepth's.
    adversarial: goes on from what "solved" exported, also with pictures that the
        network's own gradient has moved: a better loss (docs/training.md):
        ... --config.initial=depth-slim.safetensors --config.painted=PAINTED

Without --config.teacher a network learns from PHOTOS and DISPARITIES alone: after some
20,000 examples it has memorised three thousand photos.
"""

from nstjax.configs import common


def get_config(preset="solved"):
    return common.preset_config(
        base(), preset, {"solved": solved, "adversarial": adversarial}
    )


def base():
    config = common.training("depth", "depth-slim")
    # A converted FastDepth that labels every view, or "".
    config.teacher = ""
    # The weight of its hints: the part of its features' variance that stays
    # unexplained.
    config.hint_weight = 0.0
    # Whether a run without config.initial begins with a network that is solved for,
    # layer after layer, to explain the teacher's features.
    config.solved_start = False
    # A picture of the same name for each of config.content; and, under the
    # photos' names with anything after an underscore, painted versions.
    config.labels = ""
    config.painted = ""

    common.depth_network(config)

    # Every tenth photo, in the order of their names, is held out.
    config.validation_every_nth = 10
    config.validation_batches = 18

    # The least fraction of a photo's sides that a view shows. Less than 1 needs
    # labels that hold for parts. A network's own hardly do: what FastDepth says of
    # a part of .9 of the sides agrees to a rank correlation of .84 with the same
    # part of what it says of the whole, of .75 to .65.
    config.min_crop_scale = 1.0
    # Strength of random changes of colour.
    config.jitter = 0.3
    # Examples that show a painted version, where there is one; and, of the
    # others, those that take on colours and strokes of one of config.style.
    config.painted_share = 0.5
    config.transfer_share = 0.4

    # Examples that the network's own depth term has first moved towards what it sees
    # in another: steps, and the least and largest root mean square of one. Needs a
    # teacher, who says what is to be seen in them.
    config.adversarial_fraction = 0.0
    config.adversarial_steps = 2
    config.adversarial_sizes = (0.003, 0.03)

    # Weights of: the loss that knows neither scale nor shift, its gradients, and
    # the cross entropy, without which the sigmoid drifts to where it is dead.
    config.invariant_weight = 0.5
    config.gradient_weight = 0.1
    config.gradient_levels = 3
    config.entropy_weight = 2.0
    # And of the depth loss itself, which knows the shift.
    config.relative_weight = 0.0

    config.steps = 8_000
    config.batch_size = 16
    # Without normalisation layers, more than this lets the network die now and then.
    config.learning_rate = 1e-3
    config.schedule = "cosine"
    config.warmup_steps = 300
    config.clip_norm = 1.0
    config.average_decay = 0.998
    config.checkpoint_every = 500
    return config


def solved(config):
    # Half an hour on two cores, of which five minutes solve for the beginning.
    _separable(config)
    _follow_teacher(config)
    config.solved_start = True
    config.transfer_share = 0.1
    # Without the channels' balance, even this would unlearn what was solved for.
    config.learning_rate = 5e-4
    config.warmup_steps = 60
    config.steps = 900
    config.average_decay = 0.98
    config.checkpoint_every = 150


def adversarial(config):
    # An hour on two cores.
    _separable(config)
    _follow_teacher(config)
    config.transfer_share = 0.1
    config.adversarial_fraction = 0.1875
    config.adversarial_steps = 3
    # More pictures as they are, and less of the hints, than for a beginning.
    config.min_crop_scale = 0.8
    config.jitter = 0.15
    config.hint_weight = 1.5
    config.learning_rate = 4e-4
    config.warmup_steps = 50
    config.steps = 1_600
    config.average_decay = 0.99
    config.checkpoint_every = 150


def _separable(config):
    config.block = "separable"
    config.layers = (2, 2, 6, 2)
    config.stem_width = 48
    config.widths = (96, 192, 256, 320)
    config.decoder_widths = (56, 120, 200)


def _follow_teacher(config):
    config.hint_weight = 3.0
    # The teacher's disparities are not stretched, as files of them are, so that how
    # deep a picture is can be learnt.
    config.relative_weight = 1.0
    config.min_crop_scale = 0.6
    config.jitter = 0.2
    config.painted_share = 0.3
