"""The five measures as released: the host does everything but the passes of the network.

"released" builds a network, reads published weights, replaces them by the run's own and searches
for the layer of the map, anew for every picture that it explains, variants included; and for each
condition of the degradation it reads the weights, builds two networks and explains the clean
picture once more. So do the released scripts. "model kept" builds one network and explains each
picture once. Both explain one picture per pass, with torch-cam's Grad-CAM. "batched" explains eight
per pass, without gradients, by the weights of the head: the same map for a head that is a mean and
a linear layer.

This favours the release: nothing is written to disk, scores need no passes of their own, and
today's torch-cam computes no gradient beyond the features.

All but the last compute in 32 bits as released, in every precision of the other variants.
Results are [b statistics], named by `released_host.COLUMNS`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]
from torch_networks import torch_network

from peers.case import BenchmarkCase, PeerCall, PeerVariants
from peers.prepare import import_package, last_linear
from peers.released_host import PictureExplainer, Prediction, measure_pictures

BATCH = 8
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALVES = (0.5,) * 3, (0.5,) * 3
NORMALISATION = {  # mean and standard deviation of the network's input
    "resnet18": IMAGENET,
    "resnet50": IMAGENET,
    "densenet121": IMAGENET,
    "inception_v3": HALVES,
    "xception": HALVES,
}


@dataclass(frozen=True)
class ReleasedPreprocessing:
    """Conversion between 8-bit pictures and the images of a case."""

    case: BenchmarkCase

    @property
    def normalisation(self) -> tuple[np.ndarray, ...]:
        if self.case.network not in NORMALISATION:
            raise RuntimeError(f"the released procedure has no {self.case.network}")
        return tuple(np.array(v, np.float32) for v in NORMALISATION[self.case.network])

    def pictures(self) -> list[np.ndarray]:
        """The 8-bit pictures from which the images of the case were made."""
        mean, std = self.normalisation
        images = np.rint((self.case.images * std + mean) * 255)
        if images.shape[1] != images.shape[2]:
            raise RuntimeError("pictures must be square: quarter turns are among their transforms")
        return list(images.clip(0, 255).astype(np.uint8))

    def images(self, pictures: list[np.ndarray]) -> Any:
        """Network inputs [b 3 h w] of pictures, in memory with channels last."""
        device = self.case.device
        mean, std = (torch.from_numpy(v).to(device) for v in self.normalisation)
        pixels = torch.from_numpy(np.stack(pictures)).to(device)
        return ((pixels.float() / 255 - mean) / std).permute(0, 3, 1, 2)


def load_network(case: BenchmarkCase, weights: Any) -> Any:
    """Network that reads weights from a file, then has them replaced by `weights`."""
    net = torch_network(case.network)
    net.load_state_dict(torch.load(case.path, weights_only=True))
    net.load_state_dict(weights)
    return net.to(case.device)


def extractor(case: BenchmarkCase, weights: Any) -> tuple[Any, Any]:
    """Network and its Grad-CAM, at the last spatial layer as torch-cam determines it.

    An identity after the trunk is that layer, also where the trunk ends in a function.
    """
    net, stage, shape = load_network(case, weights), nn.Identity(), (3, *case.images.shape[1:3])
    net.add_module("stage", stage)
    net.forward = lambda x: net.head(stage(net.trunk(x)))
    logging.getLogger("torchcam").setLevel(logging.ERROR)  # it logs the layer
    return net, import_package("torchcam.methods").GradCAM(net, input_shape=shape)


def explain_picture(net: Any, cam: Any, images: Any) -> Prediction:
    """Explain the predicted class of an image [1 3 h w]."""
    scores = net(images)
    (map,) = cam(int(scores[0].argmax()), scores, normalized=False)
    return Prediction(map[0].cpu().numpy(), scores[0].detach().cpu().numpy())


def reload_each_time(case: BenchmarkCase) -> PictureExplainer:
    preprocessing = ReleasedPreprocessing(case)
    weights = torch.load(case.path, weights_only=True)

    def explain(picture: np.ndarray, weights: Any = weights) -> Prediction:
        images = preprocessing.images([picture]).contiguous()
        return explain_picture(*extractor(case, weights), images)

    def explain_again(picture: np.ndarray, prediction: Prediction) -> Prediction:
        again = torch.load(case.path, weights_only=True)
        load_network(case, again)  # for scores that the script does not use
        return explain(picture, again)

    return PictureExplainer(
        lambda pictures: [explain(picture) for picture in pictures], explain_again
    )


def load_once(case: BenchmarkCase) -> PictureExplainer:
    preprocessing = ReleasedPreprocessing(case)
    net, cam = extractor(case, torch.load(case.path, weights_only=True))

    def explain(pictures: list[np.ndarray]) -> list[Prediction]:
        inputs = (preprocessing.images([p]).contiguous() for p in pictures)
        return [explain_picture(net, cam, images) for images in inputs]

    return PictureExplainer(explain)


def batched(case: BenchmarkCase, dtype: Any = torch.float32) -> PictureExplainer:
    preprocessing, net = ReleasedPreprocessing(case), torch_network(case.network)
    net.load_state_dict(torch.load(case.path, weights_only=True))
    net.requires_grad_(False).to(case.device, dtype, memory_format=torch.channels_last)
    linear = last_linear(net, case.network)

    @torch.inference_mode()
    def explain_batch(pictures: list[np.ndarray]) -> list[Prediction]:
        features = net.trunk(preprocessing.images(pictures).to(dtype))
        logits = net.head(features).float()
        weights = linear.weight[logits.argmax(1)].float()
        cams = functional.relu(torch.einsum("bk,bkhw->bhw", weights, features.float()))
        rows = zip(cams.cpu().numpy(), logits.cpu().numpy(), strict=True)
        return [Prediction(cam, row) for cam, row in rows]

    def explain(pictures: list[np.ndarray]) -> list[Prediction]:
        batches = [pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH)]
        return [prediction for batch in batches for prediction in explain_batch(batch)]

    return PictureExplainer(explain)


EXPLAINERS: dict[str, Callable[[BenchmarkCase], PictureExplainer]] = {
    "released": reload_each_time,
    "released, model kept": load_once,
    "released, batched": batched,
    "released, batched, bfloat16": partial(batched, dtype=torch.bfloat16),
}


def build(explainer: Callable[[BenchmarkCase], PictureExplainer], case: BenchmarkCase) -> PeerCall:
    torch.backends.cuda.matmul.allow_tf32 = case.precision != "float32"
    torch.backends.cudnn.allow_tf32 = case.precision != "float32"
    pictures, ready = ReleasedPreprocessing(case).pictures(), explainer(case)
    return lambda: measure_pictures(ready, pictures)


VARIANTS: PeerVariants = {
    "paper": {name: partial(build, explainer) for name, explainer in EXPLAINERS.items()}
}
