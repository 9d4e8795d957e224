"""The architectures whose conversion for the runtime is tried, and the table of them in docs/runtime.md.

`python -m tests.shrinking.runtime_networks` tries all and writes the table.
"""

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torchvision import models

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.proofs import randomised, relative_difference
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.reference import interpret
from robust_tickets.shrinking.conversion import convert
from tests.language import language_folder, rehead
from tests.shrinking.architectures import last_layer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "runtime.md"
START, END = "<!-- networks: start -->", "<!-- networks: end -->"
SIDE = 64

_CORE = """
torchvision/resnet18 torchvision/mobilenet_v2 torchvision/shufflenet_v2_x0_5 torchvision/squeezenet1_1
torchvision/convnext_tiny timm/resnet50d timm/vit_tiny_patch16_224 cifar/resnet20 hf/bert
"""

_OTHERS = """
torchvision/alexnet torchvision/resnet50 torchvision/resnext50_32x4d torchvision/wide_resnet50_2 torchvision/vgg16_bn
torchvision/densenet121 torchvision/mobilenet_v3_small torchvision/mobilenet_v3_large torchvision/efficientnet_b0
torchvision/efficientnet_v2_s torchvision/regnet_x_400mf torchvision/regnet_y_400mf torchvision/googlenet
torchvision/inception_v3 torchvision/mnasnet0_5 torchvision/vit_b_16 torchvision/swin_t
timm/resnet18 timm/resnet50 timm/resnet26t timm/seresnet50 timm/resnetv2_50 timm/efficientnet_b0
timm/tf_efficientnet_b0 timm/tf_efficientnetv2_b0 timm/efficientnet_lite0 timm/mobilenetv2_100
timm/mobilenetv3_large_100 timm/mobilenetv4_conv_small timm/convnext_tiny timm/convnextv2_nano timm/regnety_004
timm/densenet121 timm/vgg16_bn timm/ghostnet_100 timm/rexnet_100 timm/mnasnet_100 timm/dla34 timm/hrnet_w18_small
timm/inception_v3 timm/inception_v4 timm/xception41 timm/dpn68 timm/repvgg_a0 timm/mobileone_s0 timm/nfnet_f0
timm/cspresnet50 timm/darknet53 timm/res2net50_14w_8s timm/resnest14d timm/skresnet18 timm/eca_resnet33ts
timm/ese_vovnet19b_dw timm/gernet_s timm/tinynet_a timm/fbnetc_100 timm/selecsls42 timm/fastvit_t8
timm/edgenext_xx_small timm/mobilevit_s
timm/vit_small_patch16_224 timm/vit_base_patch16_224 timm/deit_tiny_patch16_224 timm/deit_tiny_distilled_patch16_224
timm/vit_small_patch14_reg4_dinov2 timm/vit_base_patch16_clip_224 timm/cait_xxs24_224 timm/beit_base_patch16_224
timm/eva02_tiny_patch14_224 timm/pvt_v2_b0
cifar/resnet56 small/resnet18
hf/roberta hf/xlm-roberta hf/camembert hf/distilbert hf/electra hf/mpnet hf/deberta-v2 hf/modernbert
"""

CORE = _CORE.split()
"""What the default suite tries."""
NAMES = CORE + _OTHERS.split()


@dataclass(frozen=True)
class Trial:
    """What became of a network."""

    graph: Graph | None
    refusal: str = ""
    difference: float = 0.0
    """Of the interpreted graph from torch, over the standard deviation of the logits."""

    def cells(self, name: str) -> list[str]:
        """Return its row of the table."""
        if self.graph is None:
            return [name, "no", self.refusal.partition(": ")[2].partition("; write an .onnx")[0]]
        counts = Counter(node.op for node in self.graph.nodes)
        return [name, "yes", ", ".join(f"{count} {op}" for op, count in sorted(counts.items()))]


def network(name: str) -> rt.Network:
    """Return an architecture for small images or texts, every weight, bias and statistic of it random."""
    torch.manual_seed(0)
    library, _, model = name.partition("/")
    if library == "hf":
        with tempfile.TemporaryDirectory() as folder:
            source = rt.load_source(str(language_folder(Path(folder) / model, model)))
        language = rehead(source.network, "sequence").cpu().float().eval()
        language.body = randomised(language.body).requires_grad_(False)
        return language
    sequence = model.startswith(("vit", "deit", "cait", "beit", "eva"))
    side = 96 if "inception" in model else 224 if model.startswith("swin") else 56 if "patch14" in model else SIDE
    if library in ("cifar", "small"):
        classifier = rt.load_source(rt.SourceSettings(name=name, weights="random", num_classes=10)).network
        classifier.body = randomised(classifier.body).requires_grad_(False)
        return classifier.cpu().float().eval()
    if library == "timm":
        sizes: dict[str, Any] = {"img_size": side, "num_classes": 10} if sequence else {}
        body = timm.create_model(model, pretrained=False, **sizes)
    elif sequence:
        body = models.get_model(model, weights=None, image_size=side)
    else:
        inceptions = {"init_weights": False, "transform_input": True, "aux_logits": model == "inception_v3"}
        body = models.get_model(model, weights=None, **inceptions if model in ("googlenet", "inception_v3") else {})
    preprocessing = rt.Pixels(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), size=(side, side))
    return rt.Network(randomised(body).requires_grad_(False), preprocessing, last_layer(body)).eval()


@torch.no_grad()
def attempt(name: str) -> Trial:
    """Convert a network and hold the graph against it on random images."""
    classifier = network(name)
    try:
        graph = convert(classifier)
    except UserError as error:
        return Trial(None, str(error))
    given = classifier.interface.example(2, "table")
    rows = torch.stack([given[row] for row in graph.tokens], 1).unsqueeze(2).float() if graph.tokens else given
    graph_at = graph.of_length(rows.shape[-1]) if graph.tokens else graph
    logits = torch.from_numpy(interpret(graph_at, rows.numpy()))
    return Trial(graph, difference=relative_difference(logits, classifier(given)))


def rows() -> dict[str, list[str]]:
    """Read the committed rows by the network's name."""
    table = PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    return {cells[0]: cells for cells in lines[2:]}


def main() -> None:
    """Try every network and write the table."""
    torch.set_num_threads(1)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    lines = [["network", "runs", "operations, or what the runtime lacks"], ["---"] * 3]
    for name in NAMES:
        trial = attempt(name)
        lines.append(trial.cells(name))
        print(" | ".join(lines[-1]), f"{trial.difference:.1e}", flush=True)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
