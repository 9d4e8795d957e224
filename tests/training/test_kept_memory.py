"""What computes on a CPU keeps its memory from pass to pass; each case is a process that has kept none yet."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from robust_tickets.foundation.kept_memory import OWN_CHOICES

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
pytestmark = [
    pytest.mark.skipif(
        platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in OWN_CHOICES),
        reason="no glibc, or the environment already says how it manages memory",
    ),
    pytest.mark.skipif(
        HUGE_PAGES.exists() and "[always]" in HUGE_PAGES.read_text(),
        reason="counts pages of one size; transparent huge pages are on for all memory here",
    ),
]
BEGIN = """
import resource, torch
from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.foundation.kept_memory import kept_memory
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.pruning.plans import Plan
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from tests.training.small import PLAIN, TEN, Interruptible, digits

WIDTH, COUNT = 2**20, 15

class Wide(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(WIDTH))
        self.fc = torch.nn.Linear(1, 10)

    def forward(self, images):
        wide = (images.mean((1, 2, 3))[:, None] * self.scale).sigmoid()
        return self.fc(wide.mean(1, keepdim=True))

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

network = Network(Wide(), Pixels(mean=(0.5,), std=(0.5,), size=(8, 8)), "fc")
images = torch.rand(COUNT, 1, 8, 8)
block = COUNT * WIDTH * 4
"""
TRAINING = """
training = Training.model_validate({**PLAIN, "validate_every": 100})
job = Job(Trainable.of(network), Interruptible(digits(), training, 0), training, Plan(8, ()), 0, classes=TEN)
before = faults()
fit(job)
print((faults() - before) * resource.getpagesize() / block / 8)
"""
MEASURING = """
with CONTEXT as predict:
    (predict or network)(images)
    before = faults()
    for _ in range(8):
        (predict or network)(images)
    print((faults() - before) * resource.getpagesize() / block / 8)
"""
AFTERWARDS = """
try:
    with kept_memory(), kept_memory():
        network(images)
        during = resident()
        raise KeyError
except KeyError:
    print((during - resident()) / block)
"""


def printed(code: str) -> float:
    answer = subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=True)
    return float(answer.stdout)


@pytest.mark.parametrize("code", [TRAINING, MEASURING.replace("CONTEXT", 'evaluation_mode(network, "cpu")')])
def test_pages_are_mapped_once_and_not_in_every_pass(code: str) -> None:
    assert printed(code) < 1, "blocks that are mapped anew in each pass"


def test_without_it_they_are_mapped_in_every_pass() -> None:
    assert printed(MEASURING.replace("CONTEXT", "__import__('contextlib').nullcontext()")) > 1


def test_memory_is_given_back_at_the_end_even_of_a_failure() -> None:
    assert printed(AFTERWARDS) > 0.9
