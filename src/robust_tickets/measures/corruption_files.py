"""Accuracy on files in the layout of CIFAR-10-C: corrupted images made by somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.foundation.lazy import np, torch
from robust_tickets.measures.accuracy import correctness
from robust_tickets.measures.corruption import Place, by_severity, described, summarised
from robust_tickets.measures.corruptions.published import CORRUPTIONS, SEVERITIES, CorruptionName, Severity
from robust_tickets.measures.evaluation import balanced_first
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.figure import Figure, Sweep
from robust_tickets.measures.measure import Measure

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits

BATCH = 256


@final
class CorruptionFiles(Measure):
    """The published CIFAR-10-C or CIFAR-100-C, or files laid out like them.

    `<corruption>.npy` holds uint8 [5 * N, H, W, 3] (or [5 * N, H, W] if images are grey), the N test images at
    severity 1, then at 2, and so on. `labels.npy` holds the 5 * N labels. Images are given to the network as they
    are: their size must be the network's. Labels must be in the order of the target's classes.
    """

    title: ClassVar[str] = "Accuracy under common corruptions, from files"
    needs: ClassVar[frozenset[str]] = frozenset({"image-logits", "pixel-inputs"})
    kind: Literal["corruption-files"] = "corruption-files"
    folder: str = Field(
        default="data/CIFAR-10-C", min_length=1, description="Folder of the files; ~ and $NAME are expanded."
    )
    names: tuple[CorruptionName, ...] = Field(
        default=CORRUPTIONS, min_length=1, description="Which of the fifteen corruptions."
    )
    severities: tuple[Severity, ...] = Field(
        default=SEVERITIES, min_length=1, description="Severities, from 1 (mildest) to 5."
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="At most this many images per name and severity, balanced over classes; null means all.",
    )

    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return accuracies in [0, 1]: `corruption-files/<name>/<severity>`, and their means as in `Corruption`.

        Raises:
            UserError: a file is missing, or is not such an array.
        """
        labels, opened = self.opened()
        accuracies: dict[Place, float] = {}
        size = len(labels) // 5
        for name, images in opened.items():
            for severity in self.severities:
                block = slice((severity - 1) * size, severity * size)
                accuracies[name, severity] = self.accuracy(examinee, images[block], labels[block])
        return summarised("corruption-files", accuracies)

    def figure(self, key: str) -> Figure | None:
        """Return the mean over all corruptions; those by name and severity are its parts."""
        return Figure(key) if key == "corruption-files" else None

    @property
    def sweep(self) -> Sweep:
        """Mean accuracy at each severity."""
        return by_severity("corruption-files", self.names, self.severities)

    def reads(self) -> tuple[Path, ...]:
        """Return the folder."""
        return (given_path(self.folder),)

    def accuracy(self, examinee: Examinee, images: NDArray[np.uint8], labels: Tensor) -> float:
        """Return the accuracy, in [0, 1], on images uint8 [N, H, W(, 3)] of one severity."""
        chosen = balanced_first(labels.tolist(), self.limit or len(labels))
        hits = 0
        for start in range(0, len(chosen), BATCH):
            part = chosen[start : start + BATCH]
            with torch.no_grad():
                scores = examinee.predict(as_floats(images[part])).cpu()
            hits += int(correctness(scores, labels[part]).sum())
        return hits / len(chosen)

    def opened(self) -> tuple[Tensor, dict[CorruptionName, NDArray[np.uint8]]]:
        """Return labels and, mapped into memory, images by corruption.

        Raises:
            UserError: a file is missing, or not an array of that layout.
        """
        folder = given_path(self.folder)
        labels = read_labels(folder)
        return labels, {name: read_images(folder / f"{name}.npy", len(labels)) for name in self.names}

    def require(self) -> None:
        """Refuse files that are missing or of another layout, before anything is trained.

        Raises:
            UserError: names the first such file.
        """
        self.opened()

    def require_for(self, splits: DataSplits, provides: frozenset[str], classes: int) -> None:
        """Refuse files of another size or other channels than the network takes, or of classes that it does not know.

        Raises:
            UserError: names the first such file.
        """
        super().require_for(splits, provides, classes)
        folder = given_path(self.folder)
        labels, opened = self.opened()
        for name, images in opened.items():
            require_shape(folder / f"{name}.npy", images, (splits.channels, *splits.size))
        if int(labels.max()) >= classes or int(labels.min()) < 0:
            strange = int(labels.max()) if int(labels.max()) >= classes else int(labels.min())
            raise UserError(
                f"{folder / 'labels.npy'}: contains class {strange}, but the network has {classes} classes; give the "
                "files made from the target's own test images"
            )

    def describe(self) -> str:
        """Return for example `15 corruption files at severities 1, 2, 3, 4, 5`."""
        return described("corruption file", self.names, self.severities)


def read_labels(folder: Path) -> Tensor:
    """Return the labels [5 * N].

    Raises:
        UserError: the file is missing, or does not hold five times as many class numbers as there are images.
    """
    labels = open_array(folder / "labels.npy")
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels) or len(labels) % 5:
        raise UserError(
            f"{folder / 'labels.npy'}: contains {labels.dtype} {list(labels.shape)}; it should contain "
            "integers [5 * N], for N images at five severities"
        )
    return torch.from_numpy(labels.astype(np.int64))


def read_images(path: Path, count: int) -> NDArray[np.uint8]:
    """Return the images of one corruption, mapped into memory.

    Raises:
        UserError: the file is missing, or is not uint8 [count, H, W, 3] or [count, H, W].
    """
    images = open_array(path)
    coloured = images.ndim == 4 and images.shape[3] in (1, 3)
    if images.dtype != np.uint8 or not (coloured or images.ndim == 3) or len(images) != count:
        raise UserError(
            f"{path}: contains {images.dtype} {list(images.shape)}; it should be uint8 [{count}, height, width, 3], "
            f"as labels.npy has {count} labels"
        )
    return images


def open_array(path: Path) -> NDArray[Any]:
    """Return a .npy file's array, mapped into memory; pickled objects are refused.

    Raises:
        UserError: there is no such file, or it is not an array.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; CIFAR-10-C's folder has labels.npy and one file for each corruption"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: is not a numpy array ({error})") from None


def require_shape(path: Path, images: NDArray[np.uint8], wanted: tuple[int, ...]) -> None:
    """Refuse images of another shape than the network takes, [C, H, W].

    Raises:
        UserError: they differ.
    """
    shape = (images.shape[3] if images.ndim == 4 else 1, *images.shape[1:3])
    if shape != wanted:
        raise UserError(
            f"{path}: images are {shape[1]} x {shape[2]} with {shape[0]} channels, but the network takes "
            f"{wanted[1]} x {wanted[2]} with {wanted[0]}; give files of that shape, or use `corruption`"
        )


def as_floats(images: NDArray[np.uint8]) -> Tensor:
    """Return float32 [N, C, H, W] in [0, 1] from uint8 [N, H, W(, C)]."""
    levels = torch.from_numpy(np.ascontiguousarray(images if images.ndim == 4 else images[..., None]))
    return levels.permute(0, 3, 1, 2).float().div(255).contiguous()
