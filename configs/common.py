"""Entries that all training configs, or all per-image configs, have in common."""

from ml_collections import ConfigDict


def training(task: str, name: str) -> ConfigDict:
    """The common entries of training configs, each explained in place."""
    config = ConfigDict()
    config.task = task
    # The exported file is WORKDIR/name.safetensors.
    config.name = name
    config.seed = 0

    # Pictures. "folders": the two below, each a folder of pictures (searched with its
    # subfolders) or a prepared TFDS directory. "demo": the few pictures in the package.
    config.data = "folders"
    config.content = ""
    config.style = ""
    # The shorter side is scaled to short_side (randomly up to largest_scale times
    # that), then a square of crop_size is cropped.
    config.short_side = 512
    config.crop_size = 256
    config.largest_scale = 1.0
    # Whether half of the crops are mirrored left to right.
    config.flip = True
    # Every n-th picture is held out for validation.
    config.validation_every_nth = 50
    config.validation_batches = 4

    # A file that an earlier run exported, to start from instead of random weights.
    config.initial = ""
    config.steps = 160_000
    config.batch_size = 8
    # Batches averaged into one update; steps count batches.
    config.accumulate_steps = 1
    # "adam" or "muon".
    config.optimizer = "adam"
    config.learning_rate = 1e-4
    # "constant", "inverse_time" (with decay_rate) or "cosine" (down to zero
    # at schedule_steps, by default at steps).
    config.schedule = "constant"
    config.decay_rate = 0.0
    config.schedule_steps = 0
    config.warmup_steps = 0
    # The largest gradient norm; 0 for no clipping.
    config.clip_norm = 0.0
    # Decay of the averaged weights, which are validated and exported; 0 exports the
    # weights themselves.
    config.average_decay = 0.0
    # "float32" or "bfloat16".
    config.compute_dtype = "float32"

    config.log_every = 50
    # Validates, saves a checkpoint and draws a sample.
    config.checkpoint_every = 1000
    # How many of the newest checkpoints to keep, in addition to the best one.
    config.keep = 2
    # Threads that read pictures, or processes with that many threads each. An
    # accelerator needs a process for every core.
    config.threads = 2
    config.workers = 0
    config.export_dtype = "float16"
    return config


def as_published(config: ConfigDict) -> None:
    """Settings that the published trainings of decoders have in common."""
    config.flip = False
    config.export_dtype = "float32"


def depth_network(config: ConfigDict) -> None:
    """Adds the shape of a slim depth network, see nstjax/models/monodepth.py.

    Disparities have a quarter of the input's sides: the labels show hardly more detail,
    and more than half of the work is saved.
    """
    config.block = "basic"
    config.layers = (2, 2, 3, 1)
    config.stem_width = 32
    config.widths = (40, 64, 104, 128)
    config.decoder_widths = (32, 48, 64)
    config.scales = (2, 3)
    config.input_size = (224, 224)
    # Whether an exported network averages over a picture and its mirror image.
    config.flip_tta = False


def losses(config: ConfigDict, *, without: tuple[str, ...] = ()) -> None:
    """Adds the weights of the losses in nstjax/losses/table.py, all 0.

    Args:
        config: the config to add them to.
        without: losses that have another name in this config.
    """
    for name in (
        # Features of the content after instance normalisation.
        "normalised_content",
        # Gram matrices of the style's features.
        "gram",
        # Their means and deviations.
        "moments",
        # Mean and deviation of the picture's colours, compared with the style's.
        "color",
        # Distance between the distributions of colours.
        "palette",
        # Colour fringes at edges.
        "fringe",
        # Fine noise where the content is flat, beyond the style's.
        "flat",
        # The same, regardless of the style.
        "plain",
        # Rims of another colour along edges.
        "halo",
        # Detail that repeats every 8, 4 or 2 pixels.
        "checkerboard",
        # Squared distances of pixels from [0, 1].
        "range",
        # Differences between neighbouring pixels.
        "tv",
        # The Laplacian of the pooled picture, compared with the content's.
        "lap",
        # The picture's disparity, compared with the content's.
        "depth",
    ):
        if name not in without:
            config[f"{name}_weight"] = 0.0


def per_image(method: str) -> ConfigDict:
    """The common entries of per-image configs, each explained in place.

    Presets change these basic values. The options of a term are fully explained where
    the term is computed, in ``nstjax/losses``.
    """
    config = ConfigDict()
    config.method = method
    # A bundled network's name, or a converted weight file.
    config.encoder = "vgg19-slim"
    # "max" or "average", to replace the pooling that the weights were trained with; and
    # "floor" or "ceil", how it treats odd sides.
    config.pooling = ""
    config.rounding = ""

    # The working size, if the user gives none: "content" uses the content's own;
    # "short_side" and "long_side" scale that side to size pixels; "at_most" does the
    # latter for larger pictures only.
    config.size_rule = "at_most"
    config.size = 512
    # The style's shorter side, as a multiple of the content's.
    config.style_scale = 1.0
    # Coarser stages before the last: pairs of a fraction of its sides and a fraction of
    # its iterations (which may exceed 1).
    config.stages = ()
    # What a stage starts with: the enlarged "pixels" of the stage before, or its
    # "picture", first clipped and truncated to 8 bits.
    config.stage_start = "pixels"
    # How content and styles are resized: "lanczos" or "bilinear".
    config.resampling = "lanczos"

    # The weights of terms, and of layers within a term; 0 leaves out.
    config.content_weight = 1.0
    config.style_weight = 1.0
    config.swap_weight = 0.0
    # The loss on Gram matrices is called "style" here.
    losses(config, without=("gram",))
    # For clips only: distance from the warped last frame.
    config.temporal_weight = 100.0
    config.content_layers = {"relu4_2": 1.0}
    config.style_layers = {f"relu{block}_1": 1.0 for block in range(1, 6)}
    # "mean" or "half_sum" of squares, or "relative" to the target's.
    config.content_normalisation = "mean"
    # Gram matrices: as they are ("none"), or divided by H * W ("hw") or C * H * W
    # ("chw").
    config.gram_normalisation = "hw"
    # "mean" of squares, "gatys" (a quarter of it), "relative", or "bounded".
    config.style_normalisation = "mean"
    # The layer whose patches are swapped for the style's; the patches' side and stride
    # in feature positions; and alpha, 1 for the swapped features, 0 for the content's
    # own.
    config.swap_layer = "relu3_1"
    config.patch_size = 3
    config.stride = 1
    config.alpha = 1.0
    # As content_normalisation; and the gradient, "plain" or "unit_l1" (absolute values
    # that sum to 1 at that layer).
    config.swap_normalisation = "mean"
    config.swap_gradient = "plain"
    # Sides of the Laplacian's pooling windows, and a weight for each.
    config.lap_pools = (4,)
    config.lap_pool_weights = (1.0,)
    # The Laplacian of the "sum" of the channels, or of "each" channel.
    config.lap_channels = "sum"
    # "mean" or "sum" of squares, or "relative" to the target's.
    config.lap_reduction = "mean"
    # "mean_squares", "absolute", "sum_squares" or "half_sum_squares".
    config.tv_kind = "mean_squares"
    # The depth network: "slim", which is bundled, or a converted file.
    config.depth_model = "slim"
    # "l1" or "l2".
    config.depth_norm = "l1"
    # A factor for the encoder's activations before the losses; 0 chooses the factor
    # that brings torchvision's VGG-19 to the scale of Caffe's, see `of_caffe`.
    config.feature_scale = 1.0
    # A factor for the [0, 1] picture in the Laplacian and total variation terms.
    config.pixel_scale = 1.0

    # The optimiser's coordinates: RGB in [0, 1] ("unit"), "caffe" (BGR * 255 minus the
    # mean), "imagenet", or the encoder's own ("network").
    config.pixel_domain = "unit"
    # The dtype of the encoder's convolutions: "float32", or "bfloat16", which is faster
    # on GPUs and TPUs.
    config.compute_dtype = "float32"
    # Whether pixels are kept in range during the optimisation; the result always is.
    config.clamp = False
    # "content", "recoloured" (the content in the style's colours), "style", "noise",
    # "adain" (the result of that method) or a picture file.
    config.init = "content"
    # Standard deviation of the initial noise, in units of the domain.
    config.noise_deviation = 0.1
    # "adam", "lbfgs" (with line search), or "torch_lbfgs" (with fixed steps).
    config.optimizer = "adam"
    # Evaluations of the objective in the last stage.
    config.iterations = 100
    # Adam's step size in units of the domain; a factor for torch_lbfgs's steps.
    config.learning_rate = 0.02
    # How many pairs L-BFGS keeps.
    config.history = 20
    return config


def of_caffe(config: ConfigDict) -> None:
    """Chooses Caffe's VGG-19, for which the published weights were chosen.

    They also fit torchvision's, whose activations are multiplied by a single factor. In
    encoders with rescaled channels, such as "vgg19-slim", layers have other shares of
    the loss.
    """
    config.encoder = "vgg19"
    config.feature_scale = 0.0
    # 200 for pixels from 0 to 255 (Ruder et al., 2016, section 6).
    config.temporal_weight = 200 * 255.0**2


def preset_config(
    config: ConfigDict,
    name: str,
    presets: dict,
) -> ConfigDict:
    """Applies a preset to a config and locks it.

    Args:
        config: a config with all entries.
        name: the preset's name.
        presets: functions that change a config, by name.

    Raises:
        ValueError: if there is no such preset.
    """
    if name not in presets:
        raise ValueError(
            f"there is no preset {name!r}; choose one of {', '.join(presets)}"
        )
    presets[name](config)
    return config.lock()
