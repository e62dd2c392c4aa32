#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Trains a small network on Fashion-MNIST with PyTorch and writes weights.safetensors and test_logits.npy, which main.cpp reads.
# Usage: train.py FOLDER [--epochs N] [--images N] [--run PROGRAM]; needs `pip install torch safetensors numpy`, and exits with 77
# where they are missing.
import argparse
import gzip
import pathlib
import subprocess
import sys

try:
    import numpy
    import torch
    from safetensors.torch import save_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

nn = torch.nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.fc1 = nn.Linear(32 * 7 * 7, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        x = nn.functional.max_pool2d(torch.relu(self.bn2(self.conv2(x))), 2)
        x = torch.relu(self.conv3(x))
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))


def load(folder, name):
    with gzip.open(pathlib.Path(folder, f"{name}-images-idx3-ubyte.gz")) as f:
        images = numpy.frombuffer(f.read(), numpy.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(pathlib.Path(folder, f"{name}-labels-idx1-ubyte.gz")) as f:
        labels = numpy.frombuffer(f.read(), numpy.uint8, offset=8)
    return torch.tensor((images / 255 - 0.2860) / 0.3530, dtype=torch.float32), torch.tensor(labels, dtype=torch.long)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, default=60000)
    parser.add_argument("--run", help="the program of main.cpp, to be run on what was written")
    options = parser.parse_args()
    pathlib.Path(options.folder).mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    images, labels = load(options.data, "train")
    images, labels = images[:options.images], labels[:options.images]
    test_images, test_labels = load(options.data, "t10k")
    net = Net()
    steps = options.epochs * (len(images) // 128)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
    for _ in range(options.epochs):
        order = torch.randperm(len(images))
        for rows in order[:len(images) // 128 * 128].split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimizer.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(part) for part in test_images.split(500)])
    print(f"PyTorch {torch.__version__}: {100 * (logits.argmax(1) == test_labels).float().mean():.2f} % of the test pictures")
    save_file(net.state_dict(), f"{options.folder}/weights.safetensors")
    numpy.save(f"{options.folder}/test_logits.npy", logits.numpy())
    if options.run:
        subprocess.run([options.run, options.folder], check=True)


main()
