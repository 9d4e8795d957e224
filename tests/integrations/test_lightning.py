"""The example of docs/training_loop.md for Lightning, as its users write it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import robust_tickets as rt
from tests.integrations.loops import drawn, examples, moved, network, nonzero

lightning = pytest.importorskip("lightning.pytorch", reason="lightning is not installed: pip install lightning")

from robust_tickets.integrations.lightning_callback import TicketCallback  # noqa: E402


class Module(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        images, labels = batch
        return F.cross_entropy(self.network(images), labels)

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        assert nonzero(self.network.body, drawn()) == 0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.network.parameters(), lr=0.01, weight_decay=0.1)


def fit(module: Module, folder, epochs: int, checkpoint=None, **options) -> "lightning.Trainer":
    loader = DataLoader(TensorDataset(*examples()), batch_size=12)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[TicketCallback(drawn())],
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(module, loader, loader, ckpt_path=checkpoint)
    return trainer


@pytest.mark.filterwarnings("ignore")
def test_zeros_are_exact_through_a_fit_its_validation_and_its_checkpoints(tmp_path) -> None:
    module = Module()
    trainer = fit(module, tmp_path, 2, accumulate_grad_batches=2, gradient_clip_val=0.5)
    assert nonzero(module.network.body, drawn()) == 0
    assert moved(module.network.body, drawn())
    path = trainer.checkpoint_callback.best_model_path
    saved = torch.load(path, weights_only=True)["state_dict"]
    assert all(not saved[f"network.body.{name}"][~mask].any() for name, mask in drawn().masks.items())

    resumed = Module()
    fit(resumed, tmp_path, 3, path)
    assert nonzero(resumed.network.body, drawn()) == 0


@pytest.mark.filterwarnings("ignore")
def test_after_a_fit_masks_are_let_go_of(tmp_path) -> None:
    module = Module()
    fit(module, tmp_path, 1, enable_checkpointing=False)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    images, labels = examples()
    F.cross_entropy(module.network(images), labels).backward()
    optimizer.step()
    assert nonzero(module.network.body, drawn())


@pytest.mark.filterwarnings("ignore")
def test_another_network_is_refused(tmp_path) -> None:
    module = Module()
    module.network = rt.Network(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 4)), drawn().source.preprocessing, "1"
    )
    with pytest.raises(rt.UserError, match="Module has no such parameter"):
        fit(module, tmp_path, 1, enable_checkpointing=False)
