# SPDX-License-Identifier: Apache-2.0
# Weights of PyTorch's networks in octet, and back: outputs agree, PyTorch takes the state dict again, every value is the same. Exit
# status 77 (skipped) where there is no PyTorch. Usage: torch_roundtrip.py path/to/torch_networks FOLDER; FOLDER/venv may have it
# (`./dev deps rivals`).
import os
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    other = os.path.join(sys.argv[2], "venv/bin/python3")
    if os.path.exists(other) and not os.environ.get("OCTET_TORCH_PYTHON"):
        os.execve(other, [other, *sys.argv], {**os.environ, "OCTET_TORCH_PYTHON": "1"})
    print(f"skipped: {missing}; ./dev deps rivals installs it")
    sys.exit(77)

nn = torch.nn


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(3)
        self.depthwise = nn.Conv2d(3, 6, (3, 2), stride=(2, 1), groups=3)
        self.norm = nn.BatchNorm1d(90)
        self.slope = nn.PReLU(90)
        self.drop = nn.Dropout(0.5)
        self.hidden = nn.Linear(90, 8)
        self.layer_norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.depthwise(torch.relu(self.bn(self.conv(x))))
        x = self.drop(self.slope(self.norm(torch.flatten(x, 1))))
        return self.head(self.layer_norm(self.hidden(x)))


class Transposed(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 6, (2, 3), stride=2, groups=2)
        self.norm = nn.GroupNorm(3, 6)
        self.slope = nn.PReLU(6)
        self.same = nn.ConvTranspose2d(6, 6, 3, padding=1)
        self.head = nn.Linear(6, 2, bias=False)

    def forward(self, x):
        x = self.same(self.slope(self.norm(self.up(x))))
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


class Sequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm1d(4)
        self.up = nn.ConvTranspose1d(4, 2, 2, stride=2)
        self.head = nn.Linear(40, 3)

    def forward(self, x):
        return self.head(torch.flatten(self.up(self.bn(self.conv(x))), 1))


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(11, 8)
        self.places = nn.Parameter(torch.zeros(1, 6, 8))
        self.norm = nn.LayerNorm(8)
        self.block = nn.ModuleDict({"layer": nn.Linear(8, 8)})
        self.root = nn.RMSNorm(8, eps=1e-6)
        self.head = nn.Linear(48, 3)

    def forward(self, x):
        layer = self.block["layer"]
        x = layer(torch.tanh(layer(self.norm(self.table(x) + self.places))))
        return self.head(torch.flatten(self.root(x), 1))


class ChannelFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, (1, 3))
        self.head = nn.Linear(48, 3)

    def forward(self, x):
        return self.head(torch.flatten(self.conv(x), 1))


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.offset = nn.Parameter(torch.zeros(1, 3, 4, 4))
        self.conv = nn.Conv2d(3, 2, 3, stride=2, padding=1)
        self.head = nn.Linear(56, 3)

    def forward(self, x):
        x = x * self.gain + self.offset
        return self.head(torch.cat([torch.flatten(x, 1), torch.flatten(self.conv(x), 1)], 1))


def made(kind):
    """A network whose every parameter and statistic is drawn: defaults would hide what is not loaded."""
    net = kind().eval()
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.rand_like(value) + 0.1 if name.endswith("running_var") else torch.randn_like(value) * 0.5)
            else:
                value.fill_(1234)
    return net


torch.manual_seed(5)
cnn = made(Cnn)
picture = torch.randn(4, 3, 7, 6)
fused = {key.replace("bn.", "conv.bn.") if key.startswith("bn.") else key: value for key, value in cnn.state_dict().items()}
CASES = {
    "cnn": (cnn, picture, cnn.state_dict()),
    "cnn_double": (cnn, picture, {"module." + key: value.double() if value.is_floating_point() else value
                                  for key, value in cnn.state_dict().items()}),
    "cnn_fused": (cnn, picture, fused),
    "cnn_unfused": (cnn, picture, cnn.state_dict()),
    "transposed": (made(Transposed), torch.randn(4, 4, 3, 4), None),
    "sequence": (made(Sequence), torch.randn(4, 3, 10), None),
    "tokens": (made(Tokens), torch.randint(0, 11, (4, 6)), None),
    "channel_first": (made(ChannelFirst), torch.randn(4, 3, 4, 5), None),
    "branches": (made(Branches), torch.randn(4, 3, 4, 4), None),
}
for name, dtype in (("cnn_half", torch.float16), ("cnn_bfloat", torch.bfloat16)):
    net = made(Cnn)
    stored = {key: value.to(dtype) if value.is_floating_point() else value for key, value in net.state_dict().items()}
    net.load_state_dict(stored)
    CASES[name] = (net, picture, stored)

with tempfile.TemporaryDirectory() as folder:
    for name, (net, x, stored) in CASES.items():
        save_file({key: value.contiguous() for key, value in (stored or net.state_dict()).items()}, f"{folder}/{name}.safetensors")
        last = x.movedim(1, -1) if x.is_floating_point() else x
        numpy.save(f"{folder}/{name}.x.npy", numpy.ascontiguousarray(last.numpy()))
    subprocess.run([sys.argv[1], folder], check=True)
    for name, (net, x, _) in CASES.items():
        want = net(x).detach().numpy()
        got = numpy.load(f"{folder}/{name}.y.npy")
        assert got.shape == want.shape and numpy.ptp(want) > 0.1, (name, got.shape, want.shape)
        worst = float(numpy.abs(got - want).max())
        assert worst < 2e-5 * max(1.0, float(numpy.abs(want).max())), (name, worst)
        back = load_file(f"{folder}/{name}.back.safetensors")
        fresh = type(net)()
        fresh.load_state_dict(back, strict=True)
        for key, value in net.state_dict().items():
            if value.is_floating_point():
                assert back[key].dtype == value.dtype and torch.equal(back[key], value), (name, key)
            else:
                assert key not in back, (name, key)
print(f"{len(CASES)} networks agree, state dicts equal in both directions")
