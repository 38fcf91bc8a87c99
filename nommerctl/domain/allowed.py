"""What a job may say to ffmpeg, as data. All else is refused: it may read, write or fetch what is not the job's.

A flag stands alone and everything else takes one value. The difference matters: a value after a flag would be taken
for the name of one more output file.
"""

from types import MappingProxyType

INPUT_FLAGS = frozenset({
    "accurate_seek", "an", "autorotate", "bitexact", "display_hflip", "display_vflip", "dn", "noaccurate_seek",
    "noautorotate", "sn", "vn",
})  # fmt: skip

INPUT_VALUES = frozenset({
    "acodec", "analyzeduration", "c", "codec", "discard", "display_rotation", "ec", "err_detect", "f", "fflags",
    "flags", "flags2", "framerate", "guess_layout_max", "ignore_editlist", "itsoffset", "itsscale", "lowres",
    "max_delay", "probesize", "r", "scodec", "skip_frame", "skip_loop_filter", "ss", "sseof", "stream_loop", "t",
    "thread_queue_size", "threads", "to", "vcodec",
})  # fmt: skip

OUTPUT_FLAGS = frozenset({
    "an", "autoscale", "bitexact", "copyinkf", "copyts", "dn", "ignore_unknown", "noautoscale", "shortest", "sn",
    "start_at_zero", "vn",
})  # fmt: skip

OUTPUT_VALUES = frozenset({
    # streams, containers, times
    "aframes", "avoid_negative_ts", "brand", "bsf", "c", "codec", "acodec", "scodec", "vcodec", "disposition", "f",
    "filter", "filter_complex", "filter_complex_threads", "filter_threads", "frames", "fs", "id3v2_version", "loop",
    "map", "map_chapters", "map_metadata", "max_interleave_delta", "max_muxing_queue_size", "metadata", "movflags",
    "muxdelay", "muxpreload", "muxrate", "pass", "ss", "streamid", "t", "tag", "atag", "vtag", "timecode", "to",
    "vframes", "video_track_timescale", "write_tmcd", "write_xing",
    # picture
    "aspect", "chroma_sample_location", "color_primaries", "color_range", "color_trc", "colorspace", "enc_time_base",
    "field_order", "force_key_frames", "fps_mode", "fpsmax", "pix_fmt", "r", "s", "sws_flags", "vf", "vsync",
    # sound
    "ab", "ac", "af", "aq", "ar", "channel_layout", "ch_layout", "sample_fmt",
    # encoders
    "aac_coder", "abr", "application", "aq-mode", "aq-strength", "arnr-maxframes", "arnr-strength",
    "arnr-type", "async", "auto-alt-ref", "b", "b-pyramid", "b_qfactor", "b_qoffset", "b_strategy", "bf",
    "bidir_refine", "bits_per_raw_sample", "bufsize", "cmp", "coder", "compression_level", "cpu-used", "crf",
    "crf_max", "cutoff",
    "deadline", "direct-pred", "error-resilience", "fast-pskip", "flags", "flags2", "frame-parallel",
    "frame_duration", "g", "gop_timecode", "i_qfactor", "i_qoffset", "intra-refresh", "joint_stereo", "keyint_min",
    "lag-in-frames", "level", "lossless", "maxrate", "mbd", "mbtree", "me_method", "me_range", "minrate",
    "mixed-refs", "motion-est", "nal-hrd", "noise_reduction", "packet_loss", "partitions", "preset", "profile",
    "psy", "psy-rd", "q", "qblur", "qcomp", "qdiff", "qmax", "qmin", "qp", "qscale", "quality", "rc-lookahead",
    "rc_init_occupancy", "refs", "row-mt", "sc_threshold", "skip_threshold", "slices", "speed", "static-thresh",
    "strict", "subcmp", "subq", "svtav1-params", "threads", "tile-columns", "tile-rows", "trellis", "tune",
    "undershoot-pct", "overshoot-pct", "usage", "vbr", "weightb", "weightp", "wpredp", "x264-params", "x264opts",
    "x265-params",
})  # fmt: skip

FILTER_OPTIONS = frozenset({"af", "filter", "filter_complex", "vf"})
"""The options whose value is a filter graph."""

CODEC_OPTIONS = frozenset({"acodec", "c", "codec", "scodec", "vcodec"})

FILTERS = frozenset({
    # size, shape and place
    "crop", "fillborders", "format", "hflip", "hstack", "noformat", "null", "overlay", "pad", "rotate", "scale",
    "setdar", "setsar", "split", "transpose", "vflip", "vstack", "xstack", "zscale",
    # time
    "concat", "decimate", "dejudder", "fps", "framerate", "framestep", "minterpolate", "mpdecimate", "select",
    "setpts", "settb", "thumbnail", "tpad", "trim", "xfade",
    # interlacing
    "bwdif", "estdif", "fieldmatch", "fieldorder", "idet", "interlace", "kerndeint", "pullup", "separatefields",
    "setfield", "telecine", "tinterlace", "w3fdif", "weave", "yadif",
    # picture
    "atadenoise", "avgblur", "bilateral", "boxblur", "cas", "chromanr", "colorbalance", "colorchannelmixer",
    "colorlevels", "colormatrix", "colorspace", "colortemperature", "deband", "deblock", "deflicker", "delogo",
    "drawbox", "drawgrid", "eq", "fade", "gblur", "gradfun", "grayworld", "hqdn3d", "hue", "limiter", "lutrgb",
    "lutyuv", "negate", "nlmeans", "noise", "normalize", "palettegen", "paletteuse", "setparams", "setrange",
    "smartblur", "tmix", "tonemap", "unsharp", "vibrance", "vignette",
    # sound
    "acompressor", "acrossfade", "adelay", "aecho", "afade", "afftdn", "aformat", "agate", "alimiter", "amerge",
    "amix", "anequalizer", "anull", "apad", "aresample", "aselect", "asetnsamples", "asetpts", "asetrate", "asettb",
    "asplit", "atempo", "atrim", "bandpass", "bandreject", "bass", "channelmap", "channelsplit", "compand",
    "crossfeed", "deesser", "dynaudnorm", "equalizer", "extrastereo", "highpass", "highshelf", "join", "loudnorm",
    "lowpass", "lowshelf", "pan", "rubberband", "silenceremove", "speechnorm", "stereotools", "stereowiden",
    "treble", "volume",
})  # fmt: skip
"""Filters that work on the job's own pictures and sound only. Reading a file, or drawing text, is none of them."""

FILTERS_THAT_WRITE = MappingProxyType({"loudnorm": "stats_file", "paletteuse": "debug_kdtree"})
"""Filters with one option that names a file to write: they may have their other options, all given by name."""

BITSTREAM_FILTERS = frozenset({
    "aac_adtstoasc", "av1_frame_merge", "dump_extra", "extract_extradata", "filter_units", "h264_metadata",
    "h264_mp4toannexb", "hevc_metadata", "hevc_mp4toannexb", "mpeg4_unpack_bframes", "null", "remove_extra",
    "vp9_superframe",
})  # fmt: skip

_X264 = frozenset({
    "8x8dct", "analyse", "aq-mode", "aq-strength", "aud", "b-adapt", "b-bias", "b-pyramid", "bframes", "bitrate",
    "bluray-compat", "cabac", "chroma-qp-offset", "chromaloc", "colormatrix", "colorprim", "constrained-intra", "crf",
    "crf-max", "dct-decimate", "deadzone-inter", "deadzone-intra", "deblock", "direct", "fast-pskip", "filter",
    "force-cfr", "fps", "frame-packing", "fullrange", "intra-refresh", "ipratio", "keyint", "level",
    "lookahead-threads", "mbtree", "me", "merange", "min-keyint", "mixed-refs", "mvrange", "nal-hrd", "nf", "no-cabac",
    "no-deblock", "no-mbtree", "no-scenecut", "nr", "open-gop", "overscan", "pass", "pbratio", "pic-struct", "psy",
    "psy-rd", "qblur", "qcomp", "qp", "qpmax", "qpmin", "qpstep", "ratetol", "rc-lookahead", "ref", "scenecut",
    "sliced-threads", "slices", "stitchable", "subme", "sync-lookahead", "threads", "transfer", "trellis",
    "vbv-bufsize", "vbv-init", "vbv-maxrate", "videoformat", "weightb", "weightp",
})  # fmt: skip

_X265 = frozenset({
    "amp", "aq-mode", "aq-strength", "asm", "aud", "b-adapt", "b-intra", "b-pyramid", "bframe-bias", "bframes",
    "bitrate", "cbqpoffs", "chromaloc", "colormatrix", "colorprim", "constrained-intra", "crf", "crf-max", "crf-min",
    "crqpoffs", "ctu", "cutree", "deblock", "early-skip", "frame-threads", "hdr10", "hdr10-opt", "hrd", "info",
    "intra-refresh", "ipratio", "keyint", "level-idc", "limit-modes", "limit-refs", "log-level", "lookahead-slices",
    "lossless", "master-display", "max-cll", "max-merge", "max-tu-size", "me", "merange", "min-cu-size", "min-keyint",
    "no-info", "no-open-gop", "no-sao", "no-scenecut", "nr-inter", "nr-intra", "open-gop", "pass", "pbratio", "pmode",
    "pools", "psy-rd", "psy-rdoq", "qblur", "qcomp", "qg-size", "qp", "qpmax", "qpmin", "range", "rc-grain",
    "rc-lookahead", "rd", "rdoq-level", "rect", "ref", "repeat-headers", "sao", "scenecut", "selective-sao", "slices",
    "strong-intra-smoothing", "subme", "tier", "transfer", "tskip", "tu-inter-depth", "tu-intra-depth", "vbv-bufsize",
    "vbv-init", "vbv-maxrate", "videoformat", "wpp",
})  # fmt: skip

_SVT_AV1 = frozenset({
    "aq-mode", "bias-pct", "chroma-sample-position", "color-primaries", "color-range", "crf", "enable-cdef",
    "enable-dlf", "enable-overlays", "enable-qm", "enable-restoration", "enable-tf", "fast-decode", "film-grain",
    "film-grain-denoise", "irefresh-type", "keyint", "lookahead", "lp", "matrix-coefficients", "mbr", "pin", "preset",
    "qm-max", "qm-min", "qp", "rc", "scd", "scm", "sharpness", "tbr", "tile-columns", "tile-rows",
    "transfer-characteristics", "tune", "variance-boost-strength",
})  # fmt: skip

ENCODER_PARAMETERS = MappingProxyType(
    {
        "svtav1-params": _SVT_AV1,
        "x264-params": _X264,
        "x264opts": _X264,
        "x265-params": _X265,
    }
)
"""Options whose value is a list `key=value:key=value` for an encoder's library, and the keys that name no file."""
