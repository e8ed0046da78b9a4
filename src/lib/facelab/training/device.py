"""Where to compute."""

import torch


def pick_device(name: str = "auto") -> torch.device:
    """``"auto"``: CUDA if there is one, else the CPU; otherwise the device of that name.

    Raises:
        ValueError: if the name is not that of a device of this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise ValueError(f"device: expected auto or one of {', '.join(found)} here, got {name!r}") from error
    return device
