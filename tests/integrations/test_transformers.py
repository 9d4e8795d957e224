"""The example of docs/training_loop.md for Hugging Face's Trainer, as its users write it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

import robust_tickets as rt
from tests.integrations.loops import drawn, examples, moved, network, nonzero

transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install transformers")

from robust_tickets.integrations.trainer_callback import TicketTrainerCallback  # noqa: E402


class ForTrainer(nn.Module):
    """What the Trainer asks of a model: a loss, and logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.network(pixel_values)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


class Examples(Dataset[dict[str, Tensor]]):
    def __len__(self) -> int:
        return len(examples()[0])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        images, labels = examples()
        return {"pixel_values": images[index], "labels": labels[index]}


def train(model: nn.Module, folder, **options) -> None:
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=12,
        learning_rate=0.01,
        weight_decay=0.1,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        **options,
    )
    callback = TicketTrainerCallback(drawn())
    transformers.Trainer(model=model, args=arguments, train_dataset=Examples(), callbacks=[callback]).train()


def test_zeros_are_exact_through_a_training_and_its_checkpoints(tmp_path) -> None:
    model = ForTrainer(network())
    train(model, tmp_path, max_steps=4, save_steps=2, gradient_accumulation_steps=2, max_grad_norm=0.5)
    assert nonzero(model.network.body, drawn()) == 0
    assert moved(model.network.body, drawn())
    from safetensors.torch import load_file

    saved = load_file(tmp_path / "checkpoint-2" / "model.safetensors")
    assert all(not saved[f"network.body.{name}"][~mask].any() for name, mask in drawn().masks.items())


def test_a_network_of_transformers_is_held_by_masks_alone(tmp_path) -> None:
    settings = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=4
    )
    model = transformers.ResNetForImageClassification(settings)
    noise = torch.Generator().manual_seed(0)
    masks = {
        name: torch.rand(parameter.shape, generator=noise) < 0.5
        for name, parameter in model.named_parameters()
        if parameter.ndim == 4
    }
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=2, use_cpu=True, report_to=[], disable_tqdm=True, save_strategy="no"
    )
    callback = TicketTrainerCallback(masks)
    transformers.Trainer(model=model, args=arguments, train_dataset=Examples(), callbacks=[callback]).train()
    weights = dict(model.named_parameters())
    assert all(not weights[name][~mask].any() and weights[name][mask].any() for name, mask in masks.items())


def test_another_network_is_refused(tmp_path) -> None:
    other = ForTrainer(nn.Sequential(nn.Flatten(), nn.Linear(768, 4)))
    with pytest.raises(rt.UserError, match="ForTrainer has no such parameter"):
        train(other, tmp_path, max_steps=1)
