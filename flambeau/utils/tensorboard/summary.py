"""Summaries: one function for each kind of entry, from arrays to a protobuf message.

Pipeline: SummaryWriter's ``add_*`` -> **summary** -> event file. The formats are TensorBoard's.
"""

from __future__ import annotations

import io
import json
import wave
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary

import flambeau

from ._arrays import make_np, to_bytes, to_hwc, video_frames
from ._messages import metadata_message, summary_of, tensor_message

__all__ = [
    "MAX_THRESHOLDS", "audio", "custom_scalars", "histogram", "histogram_raw", "hparams", "image",
    "image_boxes", "mesh", "pr_curve", "pr_curve_raw", "scalar", "tensor_proto", "text", "video",
]

#: More thresholds than this break the plugin's data.
MAX_THRESHOLDS = 127
_TENSOR_LIMIT = 1 << 31


def scalar(
    name: str, tensor: Any, new_style: bool = False, double_precision: bool = False
) -> Any:
    """Return the summary of one number.

    Raises:
        AssertionError: if there are several.
    """
    array = make_np(tensor).squeeze()
    if array.ndim != 0:
        raise AssertionError(
            "Tensor should contain one element (0 dimensions). Was given size: "
            f"{array.size} and {array.ndim} dimensions."
        )
    value = float(array)
    if not new_style:
        return summary_of(name, simple_value=value)
    if double_precision:
        message = tensor_message("DT_DOUBLE", None, double_val=[value])
    else:
        message = tensor_message("DT_FLOAT", None, float_val=[value])
    return summary_of(name, tensor=message, metadata=metadata_message("scalars"))


#: Element type -> (type in TensorBoard, field that holds the values).
_TENSOR_FIELDS = {
    "float16": ("DT_HALF", "half_val"),
    "bfloat16": ("DT_BFLOAT16", "half_val"),
    "float32": ("DT_FLOAT", "float_val"),
    "float64": ("DT_DOUBLE", "double_val"),
    "int8": ("DT_INT8", "int_val"),
    "uint8": ("DT_UINT8", "int_val"),
    "int16": ("DT_INT16", "int_val"),
    "int32": ("DT_INT32", "int_val"),
    "int64": ("DT_INT64", "int64_val"),
    "bool": ("DT_BOOL", "bool_val"),
    "complex64": ("DT_COMPLEX64", "scomplex_val"),
    "complex128": ("DT_COMPLEX128", "dcomplex_val"),
}


def tensor_proto(tag: str, tensor: Any) -> Any:
    """Return the summary of a whole tensor.

    Raises:
        ValueError: if it has 2 GiB or more, or an unknown element type.
    """
    if tensor.numel() * tensor.element_size() >= _TENSOR_LIMIT:
        raise ValueError("tensor is bigger than protocol buffer's hard limit of 2GB in size")
    name = str(tensor.dtype).partition(".")[2]
    if name not in _TENSOR_FIELDS:
        raise ValueError(f"{tag} has unsupported tensor dtype {tensor.dtype}")
    kind, field = _TENSOR_FIELDS[name]
    flat = tensor._array().reshape(-1)
    if field == "half_val":
        flat = flat.view(np.uint16)  # the bit patterns
    elif flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)  # real and imaginary parts in turn
    message = tensor_message(kind, tuple(tensor.shape), **{field: flat.tolist()})
    return summary_of(tag, tensor=message, metadata=metadata_message("tensor"))


def histogram_raw(
    name: str, min: Any, max: Any, num: Any, sum: Any, sum_squares: Any, bucket_limits: Any,
    bucket_counts: Any,
) -> Any:  # fmt: skip
    """Return the summary of a histogram that is already counted."""
    message = HistogramProto(
        min=min,
        max=max,
        num=num,
        sum=sum,
        sum_squares=sum_squares,
        bucket_limit=bucket_limits,
        bucket=bucket_counts,
    )
    return summary_of(name, histo=message)


def histogram(name: str, values: Any, bins: Any, max_bins: int | None = None) -> Any:
    """Return the summary of the distribution of values.

    Args:
        name: the tag.
        values: a tensor or array of any shape.
        bins: as in ``numpy.histogram``.
        max_bins: neighbouring bins are merged until there are about so many.

    Raises:
        ValueError: if there are no values.
    """
    flat = make_np(values).astype(np.float64).reshape(-1)
    if flat.size == 0:
        raise ValueError("The input has no element.")
    counts, limits = np.histogram(flat, bins=bins)
    if max_bins is not None and len(counts) > max_bins:
        step = len(counts) // max_bins
        if len(counts) % step:
            counts = np.append(counts, [0] * (step - len(counts) % step))
        counts = counts.reshape(-1, step).sum(axis=-1)
        limits = np.append(limits[:-1][::step], limits[-1])
    if counts.size == 0 or limits.size == 0:
        raise ValueError("The histogram is empty, please file a bug report.")
    used = np.flatnonzero(counts)
    if not used.size:
        raise ValueError("The histogram is empty: no value lies within the bins (are all NaN?)")
    # Only the support is written, with one empty bin on its left.
    first, last = int(used[0]), int(used[-1])
    if first > 0:
        counts = counts[first - 1 : last + 1]
    else:
        counts = np.concatenate([[0], counts[: last + 1]])
    limits = limits[first : last + 2]
    return histogram_raw(
        name, flat.min(), flat.max(), len(flat), flat.sum(), flat.dot(flat), limits.tolist(),
        counts.tolist(),
    )  # fmt: skip


def _image_message(
    pixels: np.ndarray, rescale: float, boxes: Any = None, labels: Any = None
) -> Any:
    """Return an image (H, W, C) of uint8 as a message holding a PNG."""
    from PIL import Image

    height, width, channels = pixels.shape
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    if boxes is not None:
        _draw_boxes(picture, boxes, labels)
    if rescale != 1:
        size = (int(width * rescale), int(height * rescale))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return Summary.Image(
        height=height, width=width, colorspace=channels, encoded_image_string=file.getvalue()
    )


def _draw_boxes(picture: Any, boxes: np.ndarray, labels: Any) -> None:
    """Draw red boxes (left, top, right, bottom), each with its label, onto a picture."""
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default()
    draw = ImageDraw.Draw(picture)
    for index, box in enumerate(boxes):
        left, top, right, bottom = (float(edge) for edge in box[:4])
        corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
        draw.line(corners, width=2, fill="red")
        if labels is None or not labels[index]:
            continue
        text_left, text_top, text_right, text_bottom = font.getbbox(labels[index])
        width, height = text_right - text_left, text_bottom - text_top
        margin = np.ceil(0.05 * height)
        draw.rectangle(
            [(left, bottom - height - 2 * margin), (left + width, bottom)], fill="red"
        )
        draw.text(
            (left + margin, bottom - height - margin), labels[index], fill="black", font=font
        )


def image(tag: str, tensor: Any, rescale: float = 1, dataformats: str = "NCHW") -> Any:
    """Return the summary of an image, or of a batch of them as a grid.

    Args:
        tag: the tag.
        tensor: uint8 from 0 to 255, or float from 0 to 1.
        rescale: factor of the size.
        dataformats: the order of dimensions, such as CHW, HWC, HW, NCHW.
    """
    pixels = to_bytes(to_hwc(make_np(tensor), dataformats))
    return summary_of(tag, image=_image_message(pixels, rescale))


def image_boxes(
    tag: str, tensor_image: Any, tensor_boxes: Any, rescale: float = 1, dataformats: str = "CHW",
    labels: Any = None,
) -> Any:  # fmt: skip
    """Return the summary of an image with boxes (N, 4) of left, top, right, bottom."""
    pixels = to_bytes(to_hwc(make_np(tensor_image), dataformats))
    boxes = make_np(tensor_boxes)
    return summary_of(tag, image=_image_message(pixels, rescale, boxes, labels))


def video(tag: str, tensor: Any, fps: float = 4) -> Any:
    """Return the summary of videos (N, T, C, H, W) as one animated GIF."""
    from PIL import Image

    frames = video_frames(make_np(tensor))
    _, height, width, channels = frames.shape
    pictures = [
        Image.fromarray(frame[:, :, 0] if channels == 1 else np.ascontiguousarray(frame))
        for frame in frames
    ]
    file = io.BytesIO()
    pictures[0].save(
        file, "GIF", save_all=True, append_images=pictures[1:], duration=1000 / fps, loop=0
    )
    message = Summary.Image(
        height=height, width=width, colorspace=channels, encoded_image_string=file.getvalue()
    )
    return summary_of(tag, image=message)


def audio(tag: str, tensor: Any, sample_rate: int = 44100) -> Any:
    """Return the summary of a mono sound of samples from -1 to 1, as a 16-bit WAV."""
    samples = make_np(tensor).squeeze()
    if samples.ndim != 1:
        raise AssertionError("input tensor should be 1 dimensional.")
    if samples.size and np.abs(samples).max() > 1:
        print("warning: audio amplitude out of range, auto clipped.")
    samples = (samples.clip(-1, 1) * np.iinfo(np.int16).max).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(sample_rate)
        sound.writeframes(samples.tobytes())
    message = Summary.Audio(
        sample_rate=sample_rate,
        num_channels=1,
        length_frames=len(samples),
        encoded_audio_string=file.getvalue(),
        content_type="audio/wav",
    )
    return summary_of(tag, audio=message)


def text(tag: str, text: str) -> Any:
    """Return the summary of a text, which TensorBoard shows as Markdown."""
    from tensorboard.plugins.text.plugin_data_pb2 import TextPluginData

    content = TextPluginData(version=0).SerializeToString()
    return summary_of(
        tag + "/text_summary",
        metadata=metadata_message("text", content),
        tensor=tensor_message("DT_STRING", (1,), string_val=[text.encode("utf-8")]),
    )


def custom_scalars(layout: dict) -> Any:
    """Return the summary that arranges scalars in charts.

    Args:
        layout: {category: {chart: ["Multiline", tags] or ["Margin", [value, low, high]]}}.
    """
    from tensorboard.plugins.custom_scalar import layout_pb2 as messages

    categories = []
    for category, charts in layout.items():
        built = []
        for title, (kind, tags, *_) in charts.items():
            if kind == "Margin":
                if len(tags) != 3:
                    raise AssertionError(f"Expected 3 tags, got {len(tags)}.")
                series = messages.MarginChartContent.Series(
                    value=tags[0], lower=tags[1], upper=tags[2]
                )
                content = {"margin": messages.MarginChartContent(series=[series])}
            else:
                content = {"multiline": messages.MultilineChartContent(tag=tags)}
            built.append(messages.Chart(title=title, **content))
        categories.append(messages.Category(title=category, chart=built))
    serialized = messages.Layout(category=categories).SerializeToString()
    return summary_of(
        "custom_scalars__config__",
        tensor=tensor_message("DT_STRING", (), string_val=[serialized]),
        metadata=metadata_message("custom_scalars"),
    )


def pr_curve_raw(
    tag: str, tp: Any, fp: Any, tn: Any, fn: Any, precision: Any, recall: Any,
    num_thresholds: int = MAX_THRESHOLDS,
) -> Any:  # fmt: skip
    """Return the summary of a precision-recall curve that is already counted."""
    from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData

    given = (tp, fp, tn, fn, precision, recall)
    rows = np.stack([row if isinstance(row, (list, tuple)) else make_np(row) for row in given])
    thresholds = min(num_thresholds, MAX_THRESHOLDS)
    content = PrCurvePluginData(version=0, num_thresholds=thresholds).SerializeToString()
    return summary_of(
        tag,
        metadata=metadata_message("pr_curves", content),
        tensor=tensor_message("DT_FLOAT", rows.shape, float_val=rows.reshape(-1).tolist()),
    )


def pr_curve(
    tag: str, labels: Any, predictions: Any, num_thresholds: int = MAX_THRESHOLDS,
    weights: Any = None,
) -> Any:  # fmt: skip
    """Return the summary of the precision-recall curve of a binary classifier.

    Args:
        tag: the tag.
        labels: 0 or 1 (or bool) for each sample.
        predictions: probabilities of 1.
        num_thresholds: points of the curve.
        weights: of the samples; 1 if None.
    """
    count = min(num_thresholds, MAX_THRESHOLDS)
    truth = make_np(labels).astype(np.float64).reshape(-1)
    buckets = np.floor(make_np(predictions).reshape(-1) * (count - 1)).astype(np.int32)
    weight = 1.0 if weights is None else make_np(weights).reshape(-1)

    def at_least(weights: np.ndarray) -> np.ndarray:
        counts, _ = np.histogram(buckets, bins=count, range=(0, count - 1), weights=weights)
        return np.cumsum(counts[::-1])[::-1]

    tp, fp = at_least(truth * weight), at_least((1.0 - truth) * weight)
    tn, fn = fp[0] - fp, tp[0] - tp
    precision = tp / np.maximum(1e-7, tp + fp)
    recall = tp / np.maximum(1e-7, tp + fn)
    return pr_curve_raw(tag, tp, fp, tn, fn, precision, recall, count)


def mesh(tag: str, vertices: Any, colors: Any, faces: Any, config_dict: dict | None) -> Any:
    """Return the summary of 3-d meshes or point clouds.

    Args:
        tag: the tag.
        vertices: coordinates (B, N, 3).
        colors: (B, N, 3), None for none.
        faces: corner indices (B, N, 3), None for none.
        config_dict: settings of the view.
    """
    from tensorboard.plugins.mesh import metadata
    from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData

    config = "{}" if config_dict is None else json.dumps(config_dict, sort_keys=True)
    parts = [
        (make_np(array), kind)
        for array, kind in [
            (vertices, MeshPluginData.VERTEX),
            (faces, MeshPluginData.FACE),
            (colors, MeshPluginData.COLOR),
        ]
        if array is not None
    ]
    components = metadata.get_components_bitmask([kind for _, kind in parts])
    values = []
    for array, kind in parts:
        if array.ndim != 3:
            raise AssertionError(f"a mesh's arrays should be (B, N, 3), not {array.shape}")
        description = metadata.create_summary_metadata(
            tag, None, kind, components, list(array.shape), None, json_config=config
        )
        values.append(
            Summary.Value(
                tag=metadata.get_instance_name(tag, kind),
                tensor=tensor_message(
                    "DT_FLOAT", array.shape, float_val=array.reshape(-1).tolist()
                ),
                metadata=description,
            )
        )
    return Summary(value=values)


def _hyperparameter(value: Any) -> tuple[str, str, Any]:
    """Return (type, field, value) of a hyperparameter."""
    if isinstance(value, flambeau.Tensor):
        value = make_np(value).item()
    if isinstance(value, (bool, np.bool_)):  # before int, which bool is too
        return "DATA_TYPE_BOOL", "bool_value", bool(value)
    if isinstance(value, (int, float, np.number)):
        return "DATA_TYPE_FLOAT64", "number_value", float(value)
    if isinstance(value, str):
        return "DATA_TYPE_STRING", "string_value", value
    raise ValueError(
        "value should be one of int, float, str, bool, or torch.Tensor; received "
        f"{type(value).__name__}"
    )


def hparams(
    hparam_dict: dict, metric_dict: dict, hparam_domain_discrete: dict | None = None
) -> tuple[Any, Any, Any]:
    """Return the three summaries of a run with its hyperparameters.

    Args:
        hparam_dict: name -> bool, str, number or one-element tensor; None is left out.
        metric_dict: names of the metrics, whose values are scalars of the run.
        hparam_domain_discrete: name -> list of the values that it can have.

    Raises:
        TypeError: if an argument is no dict, or a domain's type differs.
        ValueError: for a value of another type.
    """
    from google.protobuf import struct_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    domains = hparam_domain_discrete or {}
    for name, value in [
        ("hparam_dict", hparam_dict), ("metric_dict", metric_dict),
        ("hparam_domain_discrete", domains),
    ]:  # fmt: skip
        if not isinstance(value, dict):
            raise TypeError(f"parameter: {name} should be a dictionary, nothing logged.")
    for name, domain in domains.items():
        fits = name in hparam_dict and isinstance(domain, list)
        if not fits or not all(isinstance(item, type(hparam_dict[name])) for item in domain):
            raise TypeError(
                f"parameter: hparam_domain_discrete[{name}] should be a list of same type as "
                f"hparam_dict[{name}]."
            )
    start = plugin_data_pb2.SessionStartInfo()
    infos = []
    for name, value in hparam_dict.items():
        if value is None:
            continue
        kind, field, plain = _hyperparameter(value)
        setattr(start.hparams[name], field, plain)
        domain = None
        if name in domains:
            items = [struct_pb2.Value(**{field: item}) for item in domains[name]]
            domain = struct_pb2.ListValue(values=items)
        infos.append(
            api_pb2.HParamInfo(
                name=name, type=api_pb2.DataType.Value(kind), domain_discrete=domain
            )
        )
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=name)) for name in metric_dict]
    experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics)
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.Status.Value("STATUS_SUCCESS"))

    def summary(tag: str, **content: Any) -> Any:
        data = plugin_data_pb2.HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, **content)
        return summary_of(
            tag, metadata=metadata_message(metadata.PLUGIN_NAME, data.SerializeToString())
        )

    return (
        summary(metadata.EXPERIMENT_TAG, experiment=experiment),
        summary(metadata.SESSION_START_INFO_TAG, session_start_info=start),
        summary(metadata.SESSION_END_INFO_TAG, session_end_info=end),
    )
