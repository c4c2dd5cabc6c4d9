"""Two GANs in PyTorch that `image_quality.py` measures GANAugmenter against. Run by a Python that has PyTorch.

    python gan_references.py dcgan TRAIN.npz SAMPLES.npz --seconds 600 --threads 2

TRAIN.npz: `X` (n, side, side, channels) uint8, `y` (n,) int codes from 0, `counts` (n_classes,) samples wanted of each
class. SAMPLES.npz: `X` uint8, `y` (-1 throughout where the GAN knows no classes), `steps`, `seconds`.

dcgan: the networks of Radford et al. 2016 (arXiv 1511.06434) for 32x32, batch normalisation, Adam 2e-4 with beta_1 0.5,
non-saturating loss, with the differentiable augmentation of Zhao et al. 2020 (arXiv 2006.10738), policy color,
translation, cutout. Classes by an embedding beside the noise and by projection (Miyato and Koyama 2018, arXiv
1802.05637). Samples come from a moving average of the generator's weights over the last tenth of training or so, which
its article had not: it helps.

lightweight: networks, augmentation and settings of the package `lightweight-gan` (Liu et al. 2021, arXiv 2101.04775;
`pip install lightweight-gan`), in a training step of its recipe: hinge loss at both of its discriminators, the
auto-encoding loss, a gradient penalty every fourth step. Its own loop runs on CUDA only, writes images and waits for
files: none of that time counts here. It knows no classes: it draws each class equally often, samples a pool of
`--pool` times the rows wanted, and the caller labels that.

The defaults of its command line are 512 channels, attention at 32x32 and four batches of 10 a step. Here it has at most
128 channels, one batch and no attention: on two threads a step takes 2.5 s so, and 30 s with the attention that the
package always has in its smaller discriminator (`--attention` leaves that in). More steps within the time, in the
belief that this favours it.
"""

import argparse
import random
import sys
import time
from unittest import mock

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

GENERATE = 100  # rows at a time


class Nothing(nn.Module):
    """In place of attention, whose result is added to its input."""

    def __init__(self, *_, **__):
        super().__init__()

    def forward(self, x):
        return torch.zeros_like(x)


class Generator(nn.Module):
    """Noise and class to an image: a dense 4x4 map, transposed 4x4 convolutions of stride 2, tanh."""

    def __init__(self, channels: int, n_classes: int, width: int, latent: int, stages: int):
        super().__init__()
        self.latent, self.top = latent, width * 2 ** (stages - 1)
        self.embed = nn.Embedding(n_classes, latent)
        self.seed = nn.Linear(2 * latent, 16 * self.top, bias=False)
        blocks = [nn.BatchNorm2d(self.top), nn.ReLU()]
        for i in reversed(range(1, stages)):
            coarse, fine = width * 2**i, width * 2 ** (i - 1)
            blocks += [nn.ConvTranspose2d(coarse, fine, 4, 2, 1, bias=False), nn.BatchNorm2d(fine), nn.ReLU()]
        self.body = nn.Sequential(*blocks, nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh())

    def forward(self, z, y):
        return self.body(self.seed(torch.cat([z, self.embed(y)], 1)).view(len(z), self.top, 4, 4))


class Discriminator(nn.Module):
    """An image and its class to a logit: 4x4 convolutions of stride 2; the first has no normalisation."""

    def __init__(self, channels: int, n_classes: int, width: int, stages: int):
        super().__init__()
        blocks = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for i in range(1, stages):
            coarse, fine = width * 2**i, width * 2 ** (i - 1)
            blocks += [nn.Conv2d(fine, coarse, 4, 2, 1, bias=False), nn.BatchNorm2d(coarse), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*blocks, nn.Flatten())
        features = 16 * width * 2 ** (stages - 1)
        self.logit, self.project = nn.Linear(features, 1), nn.Embedding(n_classes, features)

    def forward(self, x, y):
        features = self.body(x)
        return self.logit(features)[:, 0] + (features * self.project(y)).mean(1)


def small_normal(module):
    """Radford et al. 2016, section 4: weights from a normal distribution of deviation 0.02."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)


def color(x):
    """Brightness, saturation and contrast, a number of each an image."""

    def uniform(low, high):
        return low + (high - low) * torch.rand(len(x), 1, 1, 1)

    x = x + uniform(-0.5, 0.5)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * uniform(0.0, 2.0)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * uniform(0.5, 1.5)


def translation(x):
    """Move by up to an eighth of the side; what comes in is zero, as in the paper."""
    side = x.shape[2]
    reach = side // 8
    offset = torch.randint(-reach, reach + 1, (len(x), 2))
    padded = F.pad(x, [reach] * 4)
    rows, columns = (torch.arange(side) + reach + offset[:, i, None] for i in (0, 1))
    picked = padded.permute(0, 2, 3, 1)[torch.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2)


def cutout(x):
    """Set a square of half the side to zero."""
    side = x.shape[2]
    centre = torch.randint(0, side + 1, (len(x), 2))
    near = [(torch.arange(side) + 0.5 - centre[:, i, None]).abs() < side / 4 for i in (0, 1)]
    return x * ~(near[0][:, None, :, None] & near[1][:, None, None, :])


def augment(x):
    """The policy of Zhao et al. 2020."""
    return cutout(translation(color(x)))


def draws(y, batch: int):
    """Positions of a batch of rows, each class equally often."""
    weights = 1.0 / torch.bincount(y)[y].double()
    while True:
        yield torch.multinomial(weights, batch, replacement=True)


@torch.no_grad()
def average(target, source, step: int):
    """Move the averaged network towards the trained one; the memory grows with training."""
    rate = 10.0 / (step + 10.0)
    for kept, new in zip(target.parameters(), source.parameters(), strict=True):
        kept.lerp_(new, rate)


@torch.no_grad()
def refresh_statistics(network, latent: int, y, batch: int):
    """Batch normalisation's statistics of the averaged weights, from 50 batches, then evaluation mode."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain mean
    network.train()
    for picks, _ in zip(draws(y, batch), range(50), strict=False):
        network(torch.randn(batch, latent), y[picks])
    network.eval()


def train_dcgan(X, y, a):
    """Train for `a.seconds`; returns a sampler of (n, class) and the number of steps."""
    side, channels, n_classes = X.shape[2], X.shape[1], int(y.max()) + 1
    stages = int(np.log2(side)) - 2
    G = Generator(channels, n_classes, a.width, 100, stages).apply(small_normal)
    D = Discriminator(channels, n_classes, a.width, stages).apply(small_normal)
    averaged = Generator(channels, n_classes, a.width, 100, stages)
    averaged.load_state_dict(G.state_dict())
    opt_g, opt_d = (torch.optim.Adam(m.parameters(), 2e-4, (0.5, 0.999)) for m in (G, D))
    step, started, batches = 0, time.monotonic(), draws(y, a.batch)
    while time.monotonic() - started < a.seconds:
        picks = next(batches)
        real, labels = X[picks], y[picks]
        fake = G(torch.randn(a.batch, 100), labels)
        loss = F.softplus(-D(augment(real), labels)).mean() + F.softplus(D(augment(fake.detach()), labels)).mean()
        opt_d.zero_grad()
        loss.backward()
        opt_d.step()
        loss = F.softplus(-D(augment(fake), labels)).mean()
        opt_g.zero_grad()
        loss.backward()
        opt_g.step()
        step += 1
        average(averaged, G, step)
    refresh_statistics(averaged, 100, y, a.batch)
    return lambda n, label: averaged(torch.randn(n, 100), torch.full((n,), label)), step


def import_lightweight():
    """The package's module. It wants CUDA at import, and torchvision, with which it reads files: none is read here."""
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):  # its CUDA build does not load beside a CPU build of PyTorch
        sys.modules["torchvision"] = mock.MagicMock()
    with mock.patch("torch.cuda.is_available", return_value=True):
        from lightweight_gan import lightweight_gan
    lightweight_gan.Blur = nn.Identity  # as its trainer sets it without `antialias`
    return lightweight_gan


def penalty(images, outputs):
    """Mean squared gradient of the outputs' sum, graph kept."""
    (slope,) = torch.autograd.grad(sum(o.sum() for o in outputs), images, create_graph=True)
    return slope.flatten(1).square().sum(1).mean()


def discriminator_loss(gan, peer, real, fake, settings: dict, penalised: bool):
    """Hinge loss at both heads, the auto-encoding loss, and now and then the penalty with its weight of 10."""
    options = {"input_requires_grad": penalised, "return_discr_input": True, **settings}
    fake, (fake_logits, fake_small, _) = gan.D_aug(fake, detach=True, **options)
    real, (real_logits, real_small, coding) = gan.D_aug(real, calc_aux_loss=True, **options)
    loss = peer.hinge_loss(real_logits, fake_logits) + peer.hinge_loss(real_small, fake_small) + coding
    if penalised:
        terms = penalty(real, (real_logits, real_small)), penalty(fake, (fake_logits, fake_small))
        loss = loss + 10.0 * sum(terms) / 2
    return loss


def lightweight_step(gan, peer, batch, settings: dict, penalised: bool):
    """Discriminator, then generator; each gradient from several small batches. Images are in [0, 1] here."""
    gan.D_opt.zero_grad()
    for real in batch:
        with torch.no_grad():
            fake = gan.G(torch.randn(len(real), gan.latent_dim))
        (discriminator_loss(gan, peer, real, fake, settings, penalised) / len(batch)).backward()
    gan.D_opt.step()
    gan.G_opt.zero_grad()
    for real in batch:
        logits, small, _ = gan.D_aug(gan.G(torch.randn(len(real), gan.latent_dim)), **settings)
        ((peer.gen_hinge_loss(logits, None) + peer.gen_hinge_loss(small, None)) / len(batch)).backward()
    gan.G_opt.step()


def train_lightweight(X, y, a):
    """Train for `a.seconds`; returns a sampler of (n, unused) and the number of steps."""
    peer = import_lightweight()
    grey = X.shape[1] == 1
    if not a.attention:
        peer.LinearAttention = Nothing
    with mock.patch("torch.nn.Module.cuda", lambda self, *_: self):
        gan = peer.LightweightGAN(
            latent_dim=256,
            image_size=X.shape[2],
            fmap_max=a.fmap_max,
            greyscale=grey,
            attn_res_layers=a.attention,
            disc_output_size=1,
        )
    images = (X + 1.0) / 2.0
    settings = {"prob": min(0.5, (1e5 - len(X)) * 3e-6), "types": ["cutout", "translation"]}
    step, started, batches = 0, time.monotonic(), draws(y, a.batch)
    gan.train()
    while time.monotonic() - started < a.seconds:
        batch = [images[next(batches)] for _ in range(a.accumulate)]
        lightweight_step(gan, peer, batch, settings, step % 4 == 0)
        step += 1
    gan.G.eval()  # its moving average would begin after 20,000 steps
    return lambda n, _: 2.0 * gan.G(torch.randn(n, 256)).clamp(0.0, 1.0) - 1.0, step


@torch.no_grad()
def sampled(sampler, n: int, label: int) -> np.ndarray:
    """`n` samples of a class as uint8, channels last."""
    parts = [sampler(min(GENERATE, n - i), label).numpy() for i in range(0, n, GENERATE)]
    return np.rint(np.clip((np.concatenate(parts).transpose(0, 2, 3, 1) + 1.0) * 127.5, 0, 255)).astype(np.uint8)


TRAINERS = {"dcgan": train_dcgan, "lightweight": train_lightweight}


def main():
    """Train, sample, write."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("kind", choices=TRAINERS)
    p.add_argument("train")
    p.add_argument("samples")
    p.add_argument("--seconds", type=float, default=600.0)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--width", type=int, default=64, help="dcgan: channels of the finest map")
    p.add_argument("--fmap-max", type=int, default=128, help="lightweight: most channels of a map")
    p.add_argument("--attention", type=int, nargs="*", default=[], help="lightweight: sides of maps with attention")
    p.add_argument("--accumulate", type=int, default=1, help="lightweight: batches a step")
    p.add_argument("--pool", type=int, default=4, help="lightweight: samples for each row wanted")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    random.seed(a.seed)  # the package draws from it
    with np.load(a.train) as file:
        X, y, counts = (file[name] for name in ("X", "y", "counts"))
    X = torch.from_numpy(X.astype(np.float32) / 127.5 - 1.0).permute(0, 3, 1, 2).contiguous()
    started = time.monotonic()
    sampler, steps = TRAINERS[a.kind](X, torch.from_numpy(y.astype(np.int64)), a)
    seconds = time.monotonic() - started
    if a.kind == "lightweight":
        made = [(sampled(sampler, a.pool * int(counts.sum()), 0), -1)]
    else:
        made = [(sampled(sampler, int(n), label), label) for label, n in enumerate(counts)]
    labels = np.concatenate([np.full(len(rows), label) for rows, label in made])
    rows = np.concatenate([rows for rows, _ in made])
    np.savez(a.samples, X=rows, y=labels, steps=steps, seconds=seconds)
    print(f"{a.kind}: {steps} steps in {seconds:.1f} s")


if __name__ == "__main__":
    main()
