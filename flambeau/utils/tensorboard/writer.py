"""SummaryWriter: the user's end of logging.

Pipeline: training loop -> **SummaryWriter** -> summaries -> `EventFile` (a thread that writes
``events.out.tfevents.*``) -> TensorBoard.
"""

from __future__ import annotations

import os
import socket
import time
from datetime import datetime
from typing import Any

from tensorboard.compat.proto import event_pb2

from . import summary
from ._arrays import figure_to_image
from ._event_file import EventFile

__all__ = ["FileWriter", "SummaryWriter"]


def _default_bins() -> list[float]:
    """Return TensorFlow's bin edges: 0 and +-1e-12 * 1.1^i up to 1e20."""
    edges = []
    edge = 1e-12
    while edge < 1e20:
        edges.append(edge)
        edge *= 1.1
    return [-edge for edge in reversed(edges)] + [0.0] + edges


class FileWriter:
    """Writes events to one file, in the background.

    Args:
        log_dir: its folder.
        max_queue: events that wait before a call blocks.
        flush_secs: seconds between flushes to disk.
        filename_suffix: end of the file's name.
    """

    def __init__(
        self, log_dir: Any, max_queue: int = 10, flush_secs: float = 120, filename_suffix: str = ""
    ) -> None:
        self.event_writer = EventFile(str(log_dir), max_queue, flush_secs, filename_suffix)

    def get_logdir(self) -> str:
        """Return the folder of the event file."""
        return self.event_writer.get_logdir()

    def add_event(self, event: Any, step: Any = None, walltime: float | None = None) -> None:
        """Write an event message, at a step and a time (now if None)."""
        event.wall_time = time.time() if walltime is None else walltime
        if step is not None:
            event.step = int(step)
        self.event_writer.add_event(event)

    def add_summary(
        self, summary: Any, global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Write a summary message."""
        self.add_event(event_pb2.Event(summary=summary), global_step, walltime)

    def add_graph(self, graph_profile: tuple, walltime: float | None = None) -> None:
        """Write a graph and what it ran on: (GraphDef, RunMetadata)."""
        graph, metadata = graph_profile
        self.add_onnx_graph(graph, walltime)
        tagged = event_pb2.TaggedRunMetadata(
            tag="step1", run_metadata=metadata.SerializeToString()
        )
        self.add_event(event_pb2.Event(tagged_run_metadata=tagged), None, walltime)

    def add_onnx_graph(self, graph: Any, walltime: float | None = None) -> None:
        """Write a graph message."""
        self.add_event(event_pb2.Event(graph_def=graph.SerializeToString()), None, walltime)

    def flush(self) -> None:
        """Write everything to disk."""
        self.event_writer.flush()

    def close(self) -> None:
        """Write everything to disk and close the file."""
        self.event_writer.close()

    def reopen(self) -> None:
        """Begin a new file, if closed."""
        self.event_writer.reopen()


class SummaryWriter:
    """Logs numbers, images, histograms, texts and graphs for TensorBoard.

    Args:
        log_dir: folder of the run; ``runs/<date>_<time>_<host><comment>`` if None.
        comment: end of the default folder's name.
        purge_step: a run that goes on after a crash hides logged steps from this one on.
        max_queue: events that wait before a call blocks.
        flush_secs: seconds between flushes to disk.
        filename_suffix: end of event files' names.

    >>> import flambeau as torch, tempfile
    >>> from flambeau.utils.tensorboard import SummaryWriter
    >>> with SummaryWriter(tempfile.mkdtemp()) as writer:
    ...     writer.add_scalar("loss/train", 0.5, global_step=1)
    """

    def __init__(
        self,
        log_dir: Any = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            now = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = log_dir
        self.purge_step = purge_step
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self.file_writer: FileWriter | None = None
        self.all_writers: dict[str, FileWriter] | None = None
        self._projector_config: Any = None
        self.default_bins = _default_bins()
        self._get_file_writer()

    def _new_file_writer(self, log_dir: Any) -> FileWriter:
        return FileWriter(log_dir, self.max_queue, self.flush_secs, self.filename_suffix)

    def _get_file_writer(self) -> FileWriter:
        """Return the run's writer, opened anew after a close."""
        if self.file_writer is None or self.all_writers is None:
            self.file_writer = self._new_file_writer(self.log_dir)
            self.all_writers = {self.file_writer.get_logdir(): self.file_writer}
            if self.purge_step is not None:
                step = self.purge_step
                session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
                self.file_writer.add_event(
                    event_pb2.Event(step=step, file_version="brain.Event:2")
                )
                self.file_writer.add_event(event_pb2.Event(step=step, session_log=session))
                self.purge_step = None
        return self.file_writer

    def _write(self, message: Any, global_step: Any = None, walltime: Any = None) -> None:
        self._get_file_writer().add_summary(message, global_step, walltime)

    def get_logdir(self) -> Any:
        """Return the folder of the run."""
        return self.log_dir

    # ---- numbers -------------------------------------------------------------------------------

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """Log one number (of float32, unless new_style and double_precision)."""
        message = summary.scalar(tag, scalar_value, new_style, double_precision)
        self._write(message, global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: dict[str, Any],
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Log several numbers in one chart; each becomes a run of its own in a sub-folder."""
        walltime = time.time() if walltime is None else walltime
        run = self._get_file_writer().get_logdir()
        assert self.all_writers is not None
        for tag, value in tag_scalar_dict.items():
            folder = f"{run}/{main_tag.replace('/', '_')}_{tag}"
            if folder not in self.all_writers:
                self.all_writers[folder] = self._new_file_writer(folder)
            message = summary.scalar(main_tag, value)
            self.all_writers[folder].add_summary(message, global_step, walltime)

    def add_tensor(
        self, tag: str, tensor: Any, global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Log all elements of a tensor."""
        self._write(summary.tensor_proto(tag, tensor), global_step, walltime)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: Any = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Log the distribution of values; ``bins`` as in numpy.histogram, or "tensorflow"."""
        if isinstance(bins, str) and bins == "tensorflow":
            bins = self.default_bins
        self._write(summary.histogram(tag, values, bins, max_bins), global_step, walltime)

    def add_histogram_raw(
        self,
        tag: str,
        min: Any,
        max: Any,
        num: Any,
        sum: Any,
        sum_squares: Any,
        bucket_limits: Any,
        bucket_counts: Any,
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Log a histogram by its counts and the upper limits of its buckets."""
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError("len(bucket_limits) != len(bucket_counts), see the document.")
        message = summary.histogram_raw(
            tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts
        )
        self._write(message, global_step, walltime)

    def add_hparams(
        self,
        hparam_dict: dict,
        metric_dict: dict,
        hparam_domain_discrete: dict | None = None,
        run_name: str | None = None,
        global_step: Any = None,
    ) -> None:
        """Log hyperparameters with the metrics that they led to.

        Args:
            hparam_dict: name -> bool, str, number or one-element tensor.
            metric_dict: name -> number.
            hparam_domain_discrete: name -> the values that it can have.
            run_name: sub-folder of the run; the time if None, "." for this run itself.
            global_step: step of the metrics.
        """
        if type(hparam_dict) is not dict or type(metric_dict) is not dict:
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        messages = summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        run = self._get_file_writer().get_logdir()
        with SummaryWriter(os.path.join(run, run_name or str(time.time()))) as writer:
            for message in messages:
                writer._write(message, global_step)
            for name, value in metric_dict.items():
                writer.add_scalar(name, value, global_step)

    # ---- images, sound, text -------------------------------------------------------------------

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Log an image of uint8 (0 to 255) or float (0 to 1)."""
        self._write(
            summary.image(tag, img_tensor, dataformats=dataformats), global_step, walltime
        )

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Log a batch of images as a grid of 8 columns."""
        self.add_image(tag, img_tensor, global_step, walltime, dataformats)

    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Any,
        box_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        rescale: float = 1,
        dataformats: str = "CHW",
        labels: Any = None,
    ) -> None:
        """Log an image with boxes (N, 4) of left, top, right, bottom, and their labels."""
        if isinstance(labels, str):
            labels = [labels]
        if labels is not None and len(labels) != box_tensor.shape[0]:
            raise ValueError(f"{len(labels)} labels were given for {box_tensor.shape[0]} boxes")
        message = summary.image_boxes(tag, img_tensor, box_tensor, rescale, dataformats, labels)
        self._write(message, global_step, walltime)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: Any = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Log a Matplotlib figure, or a list of them, and close it."""
        layout = "NCHW" if isinstance(figure, list) else "CHW"
        self.add_image(tag, figure_to_image(figure, close), global_step, walltime, layout)

    def add_video(
        self,
        tag: str,
        vid_tensor: Any,
        global_step: Any = None,
        fps: float = 4,
        walltime: float | None = None,
    ) -> None:
        """Log videos (N, T, C, H, W) as one animated picture."""
        self._write(summary.video(tag, vid_tensor, fps), global_step, walltime)

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: Any = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Log a sound (L,) or (1, L) of samples from -1 to 1."""
        self._write(summary.audio(tag, snd_tensor, sample_rate), global_step, walltime)

    def add_text(
        self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Log a text, shown as Markdown."""
        self._write(summary.text(tag, text_string), global_step, walltime)

    # ---- curves, charts, meshes ----------------------------------------------------------------

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: Any = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Log the precision-recall curve for labels 0 or 1 and predicted probabilities."""
        message = summary.pr_curve(tag, labels, predictions, num_thresholds, weights)
        self._write(message, global_step, walltime)

    def add_pr_curve_raw(
        self,
        tag: str,
        true_positive_counts: Any,
        false_positive_counts: Any,
        true_negative_counts: Any,
        false_negative_counts: Any,
        precision: Any,
        recall: Any,
        global_step: Any = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Log a precision-recall curve by its counts at each threshold.

        ``weights`` exists for PyTorch's signature; the counts are already weighted, so that
        anything but None raises.
        """
        if weights is not None:
            raise ValueError("weights cannot be applied to counts: weight the counts themselves")
        message = summary.pr_curve_raw(
            tag,
            true_positive_counts,
            false_positive_counts,
            true_negative_counts,
            false_negative_counts,
            precision,
            recall,
            num_thresholds,
        )
        self._write(message, global_step, walltime)

    def add_custom_scalars_multilinechart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Show several scalars in one chart."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Show a scalar with a band: tags of the value, the lower and the upper bound."""
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def add_custom_scalars(self, layout: dict) -> None:
        """Arrange scalars in charts: {category: {title: ["Multiline" or "Margin", tags]}}."""
        self._write(summary.custom_scalars(layout))

    def add_mesh(
        self,
        tag: str,
        vertices: Any,
        colors: Any = None,
        faces: Any = None,
        config_dict: dict | None = None,
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Log meshes or point clouds: vertices, colors and faces of shape (B, N, 3)."""
        message = summary.mesh(tag, vertices, colors, faces, config_dict)
        self._write(message, global_step, walltime)

    def add_embedding(
        self,
        mat: Any,
        metadata: Any = None,
        label_img: Any = None,
        global_step: Any = None,
        tag: str = "default",
        metadata_header: Any = None,
    ) -> None:
        """Log points for the projector.

        Args:
            mat: points (N, D).
            metadata: N labels, or N rows of labels with ``metadata_header``.
            label_img: images (N, C, H, W), 0 to 1.
            global_step: 0 if None.
            tag: name of the set of points.
            metadata_header: names of the labels' columns.
        """
        from ._embedding import write_embedding

        run = self._get_file_writer().get_logdir()
        self._projector_config = write_embedding(
            run, self._projector_config, mat, metadata, label_img, global_step, tag,
            metadata_header,
        )  # fmt: skip

    # ---- graphs --------------------------------------------------------------------------------

    def add_graph(
        self,
        model: Any,
        input_to_model: Any = None,
        verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:
        """Log a model's graph, recorded while the model runs once on ``input_to_model``.

        Args:
            model: a module.
            input_to_model: its input, or a tuple of its inputs.
            verbose: print the graph.
            use_strict_trace: without meaning here: containers of any kind are recorded.
        """
        from ._graph import graph_of

        profile = graph_of(model, input_to_model)
        if verbose:
            print(profile[0])
        self._get_file_writer().add_graph(profile)

    def add_onnx_graph(self, prototxt: str) -> None:
        """Log the graph of an ONNX file (needs the onnx package)."""
        from ._onnx_graph import load_onnx_graph

        self._get_file_writer().add_onnx_graph(load_onnx_graph(prototxt))

    # ---- files ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write everything to disk."""
        for writer in (self.all_writers or {}).values():
            writer.flush()

    def close(self) -> None:
        """Write everything to disk and close; a later ``add_*`` begins a new file."""
        writers = list((self.all_writers or {}).values())
        self.file_writer = self.all_writers = None
        errors = []
        for writer in writers:               # all of them, even if one cannot be written
            try:
                writer.close()
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
