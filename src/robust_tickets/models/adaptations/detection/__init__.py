"""A source's own layers under one of torchvision's detectors.

| file | noun |
|---|---|
| `head.py` | `DetectionHead`: which detector, as recipes and files record it |
| `detector.py` | from a source's network to a detector |
| `levels.py` | a network's layers as a backbone of several levels |
| `pyramid.py` | backbones of several levels: a feature pyramid, or extra levels |
| `network.py` | what all detectors have in common |
| `faster_rcnn.py` | Faster R-CNN |
| `one_stage.py` | RetinaNet, FCOS |
| `ssd.py` | SSD, SSDLite |
| `outputs.py` | what a detector returns: losses and detections |
"""
