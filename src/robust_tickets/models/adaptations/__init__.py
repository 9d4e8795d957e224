"""Networks adapted to tasks that their own heads cannot do: their layers, as a backbone, under a new head.

| file | noun |
|---|---|
| `adaptation.py` | what is recorded of an adaptation, so that the network can be rebuilt |
| `adapted_body.py` | a body whose backbone is a source's own layers, and where its weights are now |
| `backbone.py` | a network's layers up to its last feature map |
| `detection/` | torchvision's detectors |
| `language/` | Hugging Face's encoders under the head of a language task |
| `perceptron_head.py`, `perceptron.py` | a head of two layers: its settings, and the network |
| `picture_output.py`, `generator.py` | a network that makes one picture of fixed noise: its record, and its body |
| `projection_head.py`, `projection.py` | a projector, for training without labels: its settings, and the network |
| `without_head.py` | a network's layers but for its head, where that is its last operation |
| `segmentation_head.py`, `segmentation.py` | a head that labels pixels: its settings, and the network |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.models.adaptations.detection.head import DetectionHead
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.models.adaptations.perceptron_head import PerceptronHead
from robust_tickets.models.adaptations.picture_output import PictureOutput
from robust_tickets.models.adaptations.projection_head import ProjectionHead
from robust_tickets.models.adaptations.segmentation_head import SegmentationHead

AnyAdaptation = Annotated[
    SegmentationHead | DetectionHead | LanguageHead | PerceptronHead | ProjectionHead | PictureOutput,
    Field(discriminator="kind"),
]
"""Every kind of adaptation, as files record it."""
