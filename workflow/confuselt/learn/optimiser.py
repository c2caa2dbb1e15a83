"""AdamW without torch's compiler."""

from inspect import unwrap

import torch


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`, step for step.

    torch wraps these methods so that a compiler steps around them, and imports that compiler (torch._dynamo, 3 to 5 s)
    when the first optimiser is made. Nothing here is compiled, and a fold of a small cohort trains in less: the methods
    are taken from inside the wrapping.
    """

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
    step = torch.no_grad()(unwrap(torch.optim.AdamW.step))
