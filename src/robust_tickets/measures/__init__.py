"""Accuracy and robustness over one `predict(images) -> logits`, and the decision whether a ticket matches.

| file | noun |
|---|---|
| `logits.py` | a classifier's output for a whole set of images |
| `examinee.py` | what is measured, and what a measure may ask for |
| `measure.py` | what every measure has in common: figures by name |
| `kinds.py` | every kind of measure, as recipes name them |
| `calibration.py` | ECE, adaptive ECE, negative log-likelihood, Brier score |
| `corruption.py`, `corruptions/` | accuracy under the fifteen common corruptions, and these themselves |
| `corruption_files.py` | accuracy on files in the layout of CIFAR-10-C |
| `peak_signal_noise.py` | PSNR and SSIM of a restored picture |
| `out_of_distribution.py` | distinguishing test images from another data set's, by max softmax and energy |
| `certified.py` | accuracy certified by randomised smoothing |
| `figure.py` | what a figure is: a name, a unit, bounds, whether higher is better |
| `metric.py` | the basis of decisions: accuracy, or another figure of a whole set |
| `nearest_neighbours.py` | accuracy of nearest neighbours, the metric of features learned without labels |
| `set_metric.py` | what metrics of a whole set have in common |
| `mean_iou.py` | mIoU, the metric of segmentation |
| `mean_average_precision.py` | mAP, the metric of detection |
| `class_scores.py` | F1 and Matthews' correlation of classifiers |
| `perplexity.py` | perplexity, the metric of masked language modelling |
| `correlation.py` | Pearson's and Spearman's correlation, the metric of regression |
| `tagging.py` | F1 of names, and accuracy of words: the metrics of token classification |
| `answering.py` | F1 and exact match of answers, the metric of question answering |
| `domain_gap.py` | how far apart two data sets lie in the features of a network |
| `accuracy.py` | accuracy, class-mean accuracy, correctness per image, its interval |
| `robust_accuracy.py` | correctness under attacks |
| `evaluation.py` | how robustness is evaluated: which attack, on how many images |
| `robustness_curve.py` | accuracy against the attacker's budget |
| `word_substitution.py` | accuracy while words are replaced by synonyms |
| `substitution_search.py` | the greedy search for words whose synonyms mislead |
| `wording.py` | a text as words that can be exchanged |
| `synonyms.py` | which words may stand for which |
| `matching.py` | the decision whether a ticket matches dense, with its error rate |
| `caveats.py` | what a reader of a verdict needs to know: few images or seeds, an attack that saw nothing |
| `chance.py` | how far a difference may be due to seeds and to the finite test set |
| `double_win.py` | the four decisions of a double-win ticket |
"""
