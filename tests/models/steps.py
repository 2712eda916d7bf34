"""A model that is fed by hand, and what its steps did."""

import torch

TINY = {'type': 'TinyNet'}
S3NET = {'type': 'S3Net', 'encoder': 'resnet10t', 'residual': True}
SLOW = {'train:optim_g': {'type': 'Adam', 'lr': 0.0003}}


def batch(size=4, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lq = torch.rand(size, 8, side, side, generator=generator)
    gt = (lq[:, :3] * torch.tensor([0.9, 0.6, 0.4]).view(3, 1, 1)).clamp(0, 1)
    return {'lq': lq, 'gt': gt, 'lq_path': [f'sample{seed}_{i}.png' for i in range(size)]}


def curve(model, iterations=25, **kwargs):
    """Train on a stream of batches and return the loss of every step."""
    losses = []
    for iteration in range(1, iterations + 1):
        model.update_learning_rate(iteration)
        model.feed_data(batch(seed=iteration, **kwargs))
        model.optimize_parameters(iteration)
        losses.append(model.get_current_log()['l_pix'])
    return torch.tensor(losses)


def step(model, iteration=1, data=None):
    model.feed_data(data or batch(seed=iteration))
    model.optimize_parameters(iteration)


def tensors(net):
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def gradient(model):
    return torch.cat([parameter.grad.flatten() for parameter in model.net_g.parameters()])
