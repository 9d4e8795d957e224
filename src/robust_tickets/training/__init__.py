"""The one training loop, on Hugging Face Accelerate.

| file | noun |
|---|---|
| `settings.py` | `Training`: everything about training except its data, network and masks |
| `loop.py` | `fit`: steps, and between them the events of a timeline |
| `job.py` | `Job`: one training, described before it starts |
| `trainable.py` | which parameters of a network train, and how batch norm behaves meanwhile |
| `drawing.py` | how a training selects masks and rewinds |
| `in_training.py` | the network with masks, optimiser and average: all that events may touch |
| `removed_channels.py` | the channels that a network in training has lost for good |
| `result.py` | the result of a training |
| `batch_norm.py` | the statistics of batch norms, read and recomputed |
| `lone_images.py` | passes of one image, which some batch norms cannot train on |
| `batch_source.py` | batches of images, or of cached features |
| `views.py` | several views of each image, for objectives that learn without labels |
| `features.py` | features of a frozen body, computed once |
| `heads_together.py` | heads that train side by side on them, each at its own learning rate |
| `optimisers.py`, `schedules.py` | torch's optimisers; rates as functions of progress |
| `ages.py` | Adam's steps of weights that are grown or restored |
| `statistics.py` | what training and data say about weights: gradients, curvature, layers' inputs, flow |
| `layer_inputs.py` | what weights are multiplied with in a forward pass |
| `synaptic_flow.py` | how much of what flows through a network each weight passes |
| `targets.py` | mixup and cutmix |
| `averaging.py` | moving average of weights |
| `precision.py` | fp32 or native bf16 |
| `determinism.py` | reproducible kernels |
| `placement.py` | how a batch reaches its device, and its images' memory format there |
| `processes.py` | processes that train together |
| `validation.py` | the score that selects epochs |
| `overfitting.py` | whether training against a single step has collapsed |
| `preview.py` | what a generator has made so far, for whoever watches |
| `steadiness.py` | how much a picture changes while a generator trains |
| `kept.py` | the weights it ends on, and when it has stopped improving |
| `checkpoints.py`, `metrics.py` | what lets a killed run resume bit for bit |
| `progress.py` | bar on a terminal, lines elsewhere |
"""
