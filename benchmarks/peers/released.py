"""The five measures as they were released: the host does all but the passes of the network.

"released" makes a network, reads published weights into it, puts the run's own in their place and
looks for the layer of the map, anew for every picture that it explains, variants too; and for each
condition of the degradation it reads the weights, makes two and explains the clean picture, once more.
So do the released scripts. "model kept" makes one network and sees each picture once. Both explain
one picture a pass, by torch-cam's Grad-CAM. "batched" explains eight a pass, without gradients, by
the weights of the head: the same map, of a network that ends in a mean and a linear layer.

Still they are the release at its best: nothing is written to disk, scores take no passes of their
own, and today's torch-cam takes no gradient further back than the features.

All but the last have networks of 32 bits, whatever the precision of those beside them: so they
were released. Results are [b numbers], as `released_host.COLUMNS` names them.
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
from twins import twin

from peers.case import Call, Case, Variants
from peers.prepare import package
from peers.released_host import Eye, Seen, procedure

BATCH = 8
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALVES = (0.5,) * 3, (0.5,) * 3
NORMAL = {  # mean and deviation of what a network takes
    "resnet18": IMAGENET,
    "resnet50": IMAGENET,
    "densenet121": IMAGENET,
    "inception_v3": HALVES,
    "xception": HALVES,
}


@dataclass(frozen=True)
class Files:
    """From pictures of 8 bits to images, and back to those that the images of a case came from."""

    case: Case

    @property
    def normal(self) -> tuple[np.ndarray, ...]:
        if self.case.network not in NORMAL:
            raise RuntimeError(f"the released procedure has no {self.case.network}")
        return tuple(np.array(v, np.float32) for v in NORMAL[self.case.network])

    def pictures(self) -> list[np.ndarray]:
        mean, std = self.normal
        images = np.rint((self.case.images * std + mean) * 255)
        if images.shape[1] != images.shape[2]:
            raise RuntimeError("pictures must be square: quarter turns are among their transforms")
        return list(images.clip(0, 255).astype(np.uint8))

    def images(self, pictures: list[np.ndarray]) -> Any:
        """Return pictures as a network takes them, [b 3 h w], in memory with channels last."""
        device = self.case.device
        mean, std = (torch.from_numpy(v).to(device) for v in self.normal)
        pixels = torch.from_numpy(np.stack(pictures)).to(device)
        return ((pixels.float() / 255 - mean) / std).permute(0, 3, 1, 2)


def made(case: Case, held: Any) -> Any:
    """Return a network whose weights were read from a file, and those held put in their place."""
    net = twin(case.network)
    net.load_state_dict(torch.load(case.path, weights_only=True))
    net.load_state_dict(held)
    return net.to(case.device)


def extractor(case: Case, held: Any) -> tuple[Any, Any]:
    """Return a network and its Grad-CAM, of the layer that torch-cam takes: the last spatial one.

    A trunk that ends in a function has an identity after it, so that this layer is all of it.
    """
    net, stage, shape = made(case, held), nn.Identity(), (3, *case.images.shape[1:3])
    net.add_module("stage", stage)
    net.forward = lambda x: net.head(stage(net.trunk(x)))
    logging.getLogger("torchcam").setLevel(logging.ERROR)  # it tells which layer it took
    return net, package("torchcam.methods").GradCAM(net, input_shape=shape)


def see(net: Any, cam: Any, images: Any) -> Seen:
    """Explain the class that is predicted on an image [1 3 h w]."""
    scores = net(images)
    (map,) = cam(int(scores[0].argmax()), scores, normalized=False)
    return Seen(map[0].cpu().numpy(), scores[0].detach().cpu().numpy())


def anew(case: Case) -> Eye:
    files, held = Files(case), torch.load(case.path, weights_only=True)

    def one(picture: np.ndarray, held: Any = held) -> Seen:
        return see(*extractor(case, held), files.images([picture]).contiguous())

    def again(picture: np.ndarray, seen: Seen) -> Seen:
        read = torch.load(case.path, weights_only=True)
        made(case, read)  # for scores that the script does not take
        return one(picture, read)

    return Eye(lambda pictures: [one(picture) for picture in pictures], again)


def kept(case: Case) -> Eye:
    files, (net, cam) = Files(case), extractor(case, torch.load(case.path, weights_only=True))
    return Eye(lambda pictures: [see(net, cam, files.images([p]).contiguous()) for p in pictures])


def batched(case: Case, dtype: Any = torch.float32) -> Eye:
    files, net = Files(case), twin(case.network)
    net.load_state_dict(torch.load(case.path, weights_only=True))
    net.requires_grad_(False).to(case.device, dtype, memory_format=torch.channels_last)
    linear = getattr(net, "fc", None) or net.classifier

    @torch.inference_mode()
    def passed(group: list[np.ndarray]) -> list[Seen]:
        features = net.trunk(files.images(group).to(dtype))
        logits = net.head(features).float()
        weights = linear.weight[logits.argmax(1)].float()
        cams = functional.relu(torch.einsum("bk,bkhw->bhw", weights, features.float()))
        found = zip(cams.cpu().numpy(), logits.cpu().numpy(), strict=True)
        return [Seen(cam, row) for cam, row in found]

    def look(pictures: list[np.ndarray]) -> list[Seen]:
        groups = [pictures[at : at + BATCH] for at in range(0, len(pictures), BATCH)]
        return [seen for group in groups for seen in passed(group)]

    return Eye(look)


EYES: dict[str, Callable[[Case], Eye]] = {
    "released": anew,
    "released, model kept": kept,
    "released, batched": batched,
    "released, batched, bfloat16": partial(batched, dtype=torch.bfloat16),
}


def build(eye: Callable[[Case], Eye], case: Case) -> Call:
    torch.backends.cuda.matmul.allow_tf32 = case.precision != "float32"
    torch.backends.cudnn.allow_tf32 = case.precision != "float32"
    pictures, ready = Files(case).pictures(), eye(case)
    return lambda: procedure(ready, pictures)


VARIANTS: Variants = {"paper": {name: partial(build, eye) for name, eye in EYES.items()}}
