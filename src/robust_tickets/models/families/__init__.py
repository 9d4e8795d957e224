"""The places architectures come from, one file each.

| file | names |
|---|---|
| `family.py` | what every family offers |
| `timm_models.py` | `timm/resnet18`, `timm/resnet18.a1_in1k`, and bare names |
| `torchvision_models.py` | `torchvision/resnet50` |
| `paper_networks.py` | `cifar/resnet20`, `small/resnet18`, `demo/resnet4`, `resnet2b`, `cnn-a` |
| `generators.py` | `prior/unet6`, `prior/decoder5`: generators of one picture |
| `user_code.py` | `package.module:function` |
| `madry_models.py` | `madry/resnet18-l2-3.0`, from the Hugging Face repository of Salman et al. (2020) |
| `language_models.py` | `hf/bert` and the other types of encoders, `tiny/bert` |
| `language_sources.py` | `hf/OWNER/NAME`, folders of transformers, its models given from Python |
| `language_weights.py` | which head a language model's weights come with, and the body they belong to |
| `token_interfaces.py` | a language model's tokenizer, from a file, from Python, or learned from a text |
| `hub_snapshots.py` | a repository of the Hugging Face Hub as a folder, at one commit |
| `hub_folders.py` | a folder with `config.json` and weights, as timm and the Hugging Face Hub keep one |
| `downloads.py` | where downloads are kept; one clear line if one is impossible |
| `pinned.py` | a file from a Hugging Face repository whose hash is recorded and enforced |
"""
