"""A slim depth network.

    python train.py --config configs/depth_slim.py --workdir runs/depth_slim \\
        --config.content=PHOTOS --config.labels=DISPARITIES --config.style=PAINTINGS \\
        --config.teacher=fast-depth.safetensors

DISPARITIES has a grey picture for each of the PHOTOS, with the same name, brighter
where nearer. Painted versions of the photos, made by any method, help the network to
estimate depth in paintings:

    python stylize.py --content PHOTOS --style PAINTINGS --output PAINTED
        ... --config.painted=PAINTED

Presets:
    solved: a converted FastDepth labels every view of photos and paintings itself and
        provides hints; DISPARITIES are for validation only. The network consists of a
        MobileNet's units. Every layer is initialised by least squares to reproduce one
        of the FastDepth's.
    adversarial: continues from the export of "solved", also with adversarial pictures
        made by the network's own gradient; the result is a better loss
        (docs/training.md):
        ... --config.initial=depth-slim.safetensors --config.painted=PAINTED

Without --config.teacher, a network learns from PHOTOS and DISPARITIES only: after some
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
    # The weight of its hints, the unexplained part of its features' variance.
    config.hint_weight = 0.0
    # Whether a run without config.initial starts with a network that is solved for,
    # layer by layer, to explain the teacher's features.
    config.solved_start = False
    # A picture of the same name for each of config.content; and painted versions, with
    # the photos' names followed by an underscore and anything else.
    config.labels = ""
    config.painted = ""

    common.depth_network(config)

    # Every tenth photo, in order of their names, is held out.
    config.validation_every_nth = 10
    config.validation_batches = 18

    # The smallest fraction of a photo's sides that a view shows. Less than 1 needs
    # labels that are valid for parts. A network's outputs hardly are: FastDepth's
    # output for a part with 0.9 of the sides has a rank correlation of 0.84 with the
    # same part of its output for the whole photo; for 0.75 of the sides, it is 0.65.
    config.min_crop_scale = 1.0
    # Strength of random changes of colour.
    config.jitter = 0.3
    # The fraction of examples that show a painted version, if there is one; and, of the
    # others, the fraction that takes on colours and strokes of one of config.style.
    config.painted_share = 0.5
    config.transfer_share = 0.4

    # The fraction of adversarial examples, which the network's own depth term moves
    # towards the disparity of another picture; the number of steps, and the smallest
    # and largest root mean square of a step. Needs a teacher for their labels.
    config.adversarial_fraction = 0.0
    config.adversarial_steps = 2
    config.adversarial_sizes = (0.003, 0.03)

    # The weights of the scale- and shift-invariant loss, of its gradients, and of the
    # cross entropy, without which the sigmoid saturates.
    config.invariant_weight = 0.5
    config.gradient_weight = 0.1
    config.gradient_levels = 3
    config.entropy_weight = 2.0
    # The weight of the depth loss itself, which is sensitive to shift.
    config.relative_weight = 0.0

    config.steps = 8_000
    config.batch_size = 16
    # Without normalisation layers, a higher rate sometimes makes the network collapse.
    config.learning_rate = 1e-3
    config.schedule = "cosine"
    config.warmup_steps = 300
    config.clip_norm = 1.0
    config.average_decay = 0.998
    config.checkpoint_every = 500
    return config


def solved(config):
    # Half an hour on two cores, of which five minutes are for the initial solution.
    _separable(config)
    _follow_teacher(config)
    config.solved_start = True
    config.transfer_share = 0.1
    # Without balanced channels, even this rate would destroy the initial solution.
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
    # More unchanged pictures, and a smaller weight of hints, than at first.
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
    # The teacher's disparities are not stretched, unlike those in files, so the network
    # can learn how deep a scene is.
    config.relative_weight = 1.0
    config.min_crop_scale = 0.6
    config.jitter = 0.2
    config.painted_share = 0.3
