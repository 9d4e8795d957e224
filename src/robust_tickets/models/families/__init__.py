"""The places architectures come from, one file each.

| file | names |
|---|---|
| `family.py` | what every family offers |
| `timm_models.py` | `timm/resnet18`, `timm/resnet18.a1_in1k`, and bare names |
| `torchvision_models.py` | `torchvision/resnet50` |
| `paper_networks.py` | `cifar/resnet20`, `small/resnet18`, `demo/resnet4`, `resnet2b`, `cnn-a` |
| `user_code.py` | `package.module:function` |
| `offline.py` | one clear line where a download is impossible |
"""
