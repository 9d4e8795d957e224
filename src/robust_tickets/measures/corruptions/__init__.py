"""The fifteen common corruptions of Hendrycks and Dietterich (2019), computed on the fly.

| file | noun |
|---|---|
| `published.py` | the names, and the parameters of CIFAR-10-C and ImageNet-C |
| `corrupt.py` | a batch of images, corrupted |
| `noise.py` | Gaussian, shot and impulse noise |
| `blur.py` | defocus, glass, motion and zoom blur |
| `weather.py` | snow, frost, fog and brightness |
| `digital.py` | contrast, elastic transform, pixelate and JPEG |
| `filters.py` | the zoom and the motion that several of them share |
| `textures.py` | fog's fractal, frost's crystals |

Every corruption takes images, float64 [N, C, H, W] in [0, 1], the parameters of one severity, and a random stream
for each image, the only source of that image's randomness. It returns an array of the same shape, not yet clipped.
Two libraries do the same and were not used: one was last changed in 2018 and needs ImageMagick, the other has
ImageNet-C's parameters only, refuses images below 32 pixels and draws from numpy's global generator.
"""
