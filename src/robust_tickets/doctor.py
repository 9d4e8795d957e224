"""What this machine offers to the product."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

LIBRARIES = ("torch", "torchvision", "timm", "accelerate", "onnxruntime")
EXTRAS = {"robust": "pyautoattack", "datasets": "datasets", "dill pickles": "dill"}


def examine() -> list[tuple[str, str]]:
    """Return pairs of name and finding."""
    import torch

    from robust_tickets.training.precision import has_native_bf16

    found = [("robust-tickets", version("robust-tickets")), ("python", platform.python_version())]
    for library in LIBRARIES:
        try:
            found.append((library, version(library)))
        except PackageNotFoundError:
            found.append((library, "MISSING; install robust-tickets again"))
    devices = [torch.device("cpu")] + [torch.device("cuda", number) for number in range(torch.cuda.device_count())]
    for device in devices:
        threads = torch.get_num_threads()
        cpu = f"{threads} thread{'s' * (threads > 1)}"
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
        precision = "bf16" if has_native_bf16(device) else "fp32 (no native bf16)"
        found.append((str(device), f"{name}; trains in {precision}"))
    for extra, module in EXTRAS.items():
        found.append((extra, "installed" if find_spec(module) else f"absent; install it with pip install {module}"))
    found.append(("madry/ sources", madry_sources()))
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    writable = "writable" if os.access(Path.cwd(), os.W_OK) else "NOT writable"
    found.append(("this folder", f"{free:.1f} GiB free, {writable}"))
    return found


def madry_sources() -> str:
    """Return how many of Madry's ImageNet networks are at hand, and whether others can be had."""
    from robust_tickets.models.families.downloads import Downloads
    from robust_tickets.models.families.madry_models import FILES, REPOSITORY, full_name
    from robust_tickets.models.families.pinned import cached, recorded

    downloads = Downloads()
    here = [
        full_name(*key)
        for key, file in FILES.items()
        if cached(REPOSITORY, file, downloads, recorded(REPOSITORY, file))
    ]
    more = f"others cannot be downloaded ({downloads.obstacle})" if downloads.obstacle else "others are downloaded"
    return f"{', '.join(here) or 'none'} in the Hugging Face cache; {more}"
