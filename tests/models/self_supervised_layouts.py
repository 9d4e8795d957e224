"""Files as the projects of self-supervised learning save them: the content of each, made from a network's tensors.

The first network is the one that the authors evaluate; the second is its momentum copy or its student.
"""

import argparse
import re
from typing import Any

import torch
from torch import Tensor, nn

from tests.models.test_formats import behind

State = dict[str, Tensor]

LAST, BOTH = (False, True), (True, True)
"""Linear layers with a bias, of two."""

OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
"""In which nothing may be looked for."""


def width(state: State) -> int:
    """Return the number of features that enter the head."""
    return [tensor for path, tensor in state.items() if path.endswith("bias")][-1].numel()


def linear(name: str, entering: int, leaving: int) -> State:
    return behind(f"{name}.", dict(nn.Linear(entering, leaving).state_dict()))


def mlp(name: str, *layers: nn.Module) -> State:
    """Return the tensors of an `nn.Sequential`."""
    return behind(f"{name}.", dict(nn.Sequential(*layers).state_dict()))


def projector(name: str, entering: int) -> State:
    """Return the tensors of Linear, ReLU, Linear."""
    return mlp(name, nn.Linear(entering, 16), nn.ReLU(), nn.Linear(16, 8))


def normed(name: str, entering: int, biases: tuple[bool, bool] = (False, False)) -> State:
    """Return the tensors of Linear, BatchNorm, ReLU, Linear; `biases` says which of the linear layers have one."""
    first, last = biases
    return mlp(name, nn.Linear(entering, 16, first), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8, last))


def deep(name: str, entering: int, last: bool = False) -> State:
    """Return the tensors of three Linear, each with a BatchNorm, of which the last has no weights."""
    first = nn.Linear(entering, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU()
    second = nn.Linear(16, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU()
    return mlp(name, *first, *second, nn.Linear(16, 8, bias=last), nn.BatchNorm1d(8, affine=False))


def dino_head(name: str, entering: int, layers: str = "mlp") -> State:
    """Return the tensors of DINOHead, whose last layer has weight norm in its old form."""
    last = {f"{name}.last_layer.weight_g": torch.ones(32, 1), f"{name}.last_layer.weight_v": torch.randn(32, 4)}
    stack = nn.Linear(entering, 16), nn.GELU(), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 4)
    return mlp(f"{name}.{layers}", *stack) | last


def numbered(state: State, children: str = "conv1 bn1 relu maxpool layer1 layer2 layer3 layer4 avgpool") -> State:
    """Return a state dict as that of `nn.Sequential(*list(resnet.children())[:-1])`."""
    numbers = {child: number for number, child in enumerate(children.split())}
    return {f"{numbers[name.partition('.')[0]]}.{name.partition('.')[2]}": tensor for name, tensor in state.items()}


def shortcuts(state: State) -> State:
    """Return a ResNet under the names of kuangliu's code, which SupContrast and lightly took over."""
    return {name.replace("downsample", "shortcut"): tensor for name, tensor in state.items()}


def script(state: State, entry: str = "state_dict", **facts: Any) -> Any:
    """Return what a training script saves."""
    return {"epoch": 200, "arch": "resnet18", entry: state, "optimizer": OPTIMIZER, **facts}


def lightning(*states: State) -> Any:
    return {
        "epoch": 99,
        "pytorch-lightning_version": "2.1.0",
        "state_dict": {name: tensor for state in states for name, tensor in state.items()},
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5), "best_model_path": "last.ckpt"}},
        "optimizer_states": [OPTIMIZER],
        "hyper_parameters": {"lr": 0.1},
    }


def queue() -> State:
    return {"queue": torch.randn(8, 32), "queue_ptr": torch.zeros(1, dtype=torch.long)}


def moco(net: State, copy: State, head: State) -> Any:
    encoders = behind("encoder_q.", net | head) | behind("encoder_k.", copy | head)
    return script(behind("module.", encoders | queue()))


def moco_v1(net: State, copy: State) -> Any:
    return moco(net, copy, linear("fc", width(net), 128))


def moco_v2(net: State, copy: State) -> Any:
    return moco(net, copy, projector("fc", width(net)))


def moco_query_alone(net: State, _: State) -> Any:
    return {"state_dict": behind("module.encoder_q.", net | linear("fc", width(net), 128))}


def moco_v3(net: State, copy: State, head: State) -> Any:
    layers = nn.Linear(8, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8, bias=False)
    predictor = mlp("predictor", *layers, nn.BatchNorm1d(8, affine=False))
    encoders = behind("base_encoder.", net | head) | behind("momentum_encoder.", copy | head)
    return script(behind("module.", encoders | predictor), scaler={"scale": 65536.0})


def moco_v3_resnet(net: State, copy: State) -> Any:
    layers = nn.Linear(width(net), 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8, bias=False)
    return moco_v3(net, copy, mlp("fc", *layers, nn.BatchNorm1d(8, affine=False)))


def moco_v3_vit(net: State, copy: State) -> Any:
    return moco_v3(net, copy, deep("head", width(net)))


def simsiam(net: State, _: State) -> Any:
    encoder = behind("encoder.", net | deep("fc", width(net), last=True))
    return script(behind("module.", encoder | normed("predictor", 8, LAST)))


def simclr_sthalles(net: State, _: State) -> Any:
    return script(behind("backbone.", net | projector("fc", width(net))))


def simclr_sthalles_first(net: State, _: State) -> Any:
    """Its version of 2020."""
    return behind("features.", numbered(net)) | linear("l1", width(net), 16) | linear("l2", 16, 8)


def simclr_spijkervet(net: State, _: State) -> Any:
    layers = nn.Linear(width(net), 16, bias=False), nn.ReLU(), nn.Linear(16, 8, bias=False)
    return behind("encoder.", net) | mlp("projector", *layers)


def simclr_atanov(net: State, _: State) -> Any:
    weights = {"fc1.weight": torch.ones(16, width(net)), "bn1.weight": torch.ones(16), "fc2.weight": torch.ones(8, 16)}
    state = behind("convnet.", net) | behind("projection.", weights)
    return {"state_dict": state, "hparams": argparse.Namespace(arch="resnet18", data="imagenet")}


def supcontrast(net: State, _: State) -> Any:
    state = behind("encoder.module.", shortcuts(net)) | projector("head", width(net))
    return {"opt": argparse.Namespace(model="resnet18"), "model": state, "optimizer": OPTIMIZER, "epoch": 1000}


def dino(student: State, teacher: State, **facts: Any) -> Any:
    scaler = {"scale": 65536.0, "growth_factor": 2.0}
    args = argparse.Namespace(arch="vit_small", patch_size=16)
    return {
        "student": student,
        "teacher": teacher,
        "optimizer": OPTIMIZER,
        "args": args,
        "fp16_scaler": scaler,
        **facts,
    }


def dino_vit(net: State, copy: State) -> Any:
    student, teacher = (behind("backbone.", state) | dino_head("head", width(state)) for state in (copy, net))
    return dino(behind("module.", student), teacher, dino_loss={"center": torch.zeros(1, 32)})


def dino_resnet(net: State, copy: State) -> Any:
    """Its batch norms are synchronised, so that the teacher is wrapped, too."""
    student, teacher = (behind("backbone.", state) | dino_head("head", width(state)) for state in (copy, net))
    loss = {"center": torch.zeros(1, 32)}
    return dino(behind("module.", student), behind("module.", teacher), dino_loss=loss)


def ibot(net: State, copy: State) -> Any:
    masked = copy | {"masked_embed": torch.zeros(1, width(net))}
    student = behind("backbone.", masked) | dino_head("head", width(net))
    loss = {"center": torch.zeros(1, 32), "center2": torch.zeros(1, 1, 32)}
    teacher = behind("backbone.", net) | dino_head("head", width(net))
    return dino(behind("module.", student), teacher, ibot_loss=loss)


def dinov2_published(net: State, _: State) -> Any:
    return {"mask_token": torch.zeros(1, width(net)), **net}


def dinov2_teacher(net: State, _: State) -> Any:
    """As `eval/training_N/teacher_checkpoint.pth`, its blocks in four chunks of three."""
    chunked = {re.sub(r"^blocks\.(\d+)", lambda m: f"blocks.{int(m[1]) // 3}.{m[1]}", name): net[name] for name in net}
    backbone = behind("backbone.", {"mask_token": torch.zeros(1, width(net)), **chunked})
    return {"teacher": backbone | dino_head("dino_head", width(net)) | dino_head("ibot_head", width(net))}


def mae(net: State, _: State) -> Any:
    decoder = {
        "mask_token": torch.zeros(1, 1, 8),
        "decoder_pos_embed": torch.zeros(1, 5, 8),
        **linear("decoder_embed", width(net), 8),
        **linear("decoder_blocks.0.attn.qkv", 8, 24),
        **linear("decoder_norm", 1, 8),
        **linear("decoder_pred", 8, 12),
    }
    return script(net | decoder, "model", scaler={}, args=argparse.Namespace(model="mae_vit_base_patch16"))


def swav(net: State, _: State) -> Any:
    heads = normed("projection_head", width(net), BOTH) | {"prototypes.weight": torch.randn(30, 8)}
    return script(behind("module.", net | heads))


def swav_published(net: State, _: State) -> Any:
    """DeepCluster-v2 has several sets of prototypes."""
    prototypes = {f"prototypes.prototypes{index}.weight": torch.randn(30, 8) for index in range(2)}
    return behind("module.", net | normed("projection_head", width(net), BOTH) | prototypes)


def barlow_twins(net: State, _: State) -> Any:
    norm = behind("bn.", dict(nn.BatchNorm1d(8, affine=False).state_dict()))
    return script(behind("module.", behind("backbone.", net) | normed("projector", width(net)) | norm), "model")


def vicreg(net: State, _: State) -> Any:
    layers = nn.Linear(width(net), 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8, bias=False)
    return script(behind("module.", behind("backbone.", net) | mlp("projector", *layers)), "model")


def plain(net: State, _: State) -> Any:
    """`resnet50.pth` of Barlow Twins and VICReg."""
    return net


def byol_lucidrains(net: State, copy: State) -> Any:
    """The network has a head that was never trained: a hook takes the features that enter it."""
    head, mlps = linear("fc", width(net), 1000), normed("projector", width(net), BOTH)
    return {
        **behind("net.", net | head),
        **behind("online_encoder.", behind("net.", net | head) | mlps),
        **behind("target_encoder.", behind("net.", copy | head) | mlps),
        **normed("online_predictor", 8, BOTH),
    }


def byol_sthalles(net: State, copy: State) -> Any:
    head = normed("projetion.net", width(net), BOTH)
    online, target = (behind("encoder.", numbered(state)) | head for state in (net, copy))
    return {
        "online_network_state_dict": online,
        "target_network_state_dict": target,
        "optimizer_state_dict": OPTIMIZER,
    }


def byol_yaox12(net: State, copy: State) -> Any:
    head = normed("projetion.net", width(net), BOTH)
    online, target = (behind("encoder.", numbered(state)) | head for state in (net, copy))
    networks = behind("online_network.", online) | behind("target_network.", target)
    return script(behind("module.", networks | normed("predictor.net", 8, BOTH)), "model", config={"lr": 0.2})


def lightly_simclr(net: State, _: State) -> Any:
    return lightning(behind("backbone.", numbered(net)), normed("projection_head.layers", width(net)))


def lightly_byol(net: State, copy: State) -> Any:
    return lightning(
        behind("backbone.", numbered(net)),
        normed("projection_head.layers", width(net), LAST),
        normed("prediction_head.layers", 8, LAST),
        behind("backbone_momentum.", numbered(copy)),
        normed("projection_head_momentum.layers", width(net), LAST),
    )


def lightly_dino(net: State, copy: State) -> Any:
    return lightning(
        behind("student_backbone.", numbered(copy)),
        dino_head("student_head", width(net), "layers"),
        behind("teacher_backbone.", numbered(net)),
        dino_head("teacher_head", width(net), "layers"),
        {"criterion.center": torch.zeros(1, 1, 32)},
    )


def lightly_swav(net: State, _: State) -> Any:
    heads = normed("projection_head.layers", width(net), LAST) | linear("prototypes.heads.0", 8, 30)
    return lightning(behind("backbone.", numbered(net)), heads)


def lightly_benchmark(net: State, _: State) -> Any:
    online = linear("online_classifier.classification_head", width(net), 100)
    return lightning(behind("backbone.", net), normed("projection_head.layers", width(net)), online)


def lightly_cifar(net: State, _: State) -> Any:
    """From `ResNetGenerator`, whose activations and pooling are no modules."""
    backbone = numbered(shortcuts(net), "conv1 bn1 layer1 layer2 layer3 layer4")
    return lightning(behind("backbone.", backbone), normed("projection_head.layers", width(net)))


def solo_learn_moco(net: State, copy: State) -> Any:
    nets = behind("backbone.", net) | behind("momentum_backbone.", copy)
    heads = projector("projector", width(net)) | projector("momentum_projector", width(net))
    return lightning(nets, linear("classifier", width(net), 100), heads, queue())


def solo_learn_byol_first(net: State, copy: State) -> Any:
    """Its early versions."""
    nets = behind("encoder.", net) | behind("momentum_encoder.", copy)
    heads = normed("projector", width(net)) | normed("momentum_projector", width(net)) | normed("predictor", 8)
    return lightning(nets, linear("classifier", width(net), 100), heads)


def vissl(net: State, heads: State) -> Any:
    model = {"model": {"trunk": behind("_feature_blocks.", net), "heads": heads}, "meta": {"trunk": {}, "heads": {}}}
    state = {"train": True, "base_model": model, "optimizer": {"optim": OPTIMIZER}, "loss": {}, "hooks": {}}
    return {"phase_idx": 99, "iteration": 9, "train_phase_idx": 99, "classy_state_dict": state, "loss": 0.5}


def vissl_simclr(net: State, _: State) -> Any:
    return vissl(net, linear("0.clf.0", width(net), 16) | linear("1.clf.0", 16, 8))


def vissl_swav(net: State, _: State) -> Any:
    return vissl(net, normed("0.projection_head", width(net), BOTH) | {"0.prototypes0.weight": torch.randn(30, 8)})
