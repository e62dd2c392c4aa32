# SPDX-License-Identifier: Apache-2.0
# PyTorch's training step on the networks of bench_training: float, and eager quantization-aware training.
"""PyTorch's training step: float and eager quantization-aware.

Needs torch (2.8 was measured). Each thread count runs in a process of its own. Per network: float in PyTorch's default
layout, float in channels last, and QAT with the default configurations of the engines x86 and onednn; they take turns.
Optimizer: SGD, momentum 0.9, rate 1e-3. Milliseconds are the smallest of the rounds' medians, as in bench_training.
"""
import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import time
import warnings

SHAPES = {"small_cnn": (1, 28, 28), "resnet18": (3, 32, 32)}


def networks():
    """{name: function that makes the network}"""
    from torch import nn
    from torch.ao import quantization as tq
    from torch.ao.nn.quantized import FloatFunctional

    def conv_bn(cin, cout, kernel, stride=1):
        return nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(cout)

    class Block(nn.Module):
        def __init__(self, cin, cout, stride):
            super().__init__()
            self.conv1, self.bn1 = conv_bn(cin, cout, 3, stride)
            self.relu1 = nn.ReLU(inplace=True)
            self.conv2, self.bn2 = conv_bn(cout, cout, 3)
            self.down = nn.Sequential(*conv_bn(cin, cout, 1, stride)) if stride != 1 or cin != cout else nn.Identity()
            self.add = FloatFunctional()

        def forward(self, x):
            return self.add.add_relu(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))), self.down(x))

    def stage(cin, cout, stride):
        return Block(cin, cout, stride), Block(cout, cout, 1)

    def whole(*body):
        return nn.Sequential(tq.QuantStub(), *body, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def head(features, outputs, body):
        return nn.Sequential(*body, nn.Linear(features, outputs), tq.DeQuantStub())

    def small_cnn():
        parts = []
        for cin, cout, stride in ((1, 32, 1), (32, 64, 2), (64, 128, 2)):
            parts += [*conv_bn(cin, cout, 3, stride), nn.ReLU(inplace=True)]
        return head(128, 10, whole(*parts))

    def resnet18():
        stages = [*stage(64, 64, 1), *stage(64, 128, 2), *stage(128, 256, 2), *stage(256, 512, 2)]
        return head(512, 10, whole(*conv_bn(3, 64, 3), nn.ReLU(inplace=True), *stages))

    return {"small_cnn": small_cnn, "resnet18": resnet18}


def fuse_for_training(net):
    """conv-bn-relu and conv-bn, by their order in each container."""
    from torch import nn
    from torch.ao import quantization as tq

    for module in list(net.modules()):
        children = list(module.named_children())
        groups, i = [], 0
        while i < len(children):
            kinds = [type(m) for _, m in children[i:i + 3]]
            n = 3 if kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU] else 2 if kinds[:2] == [nn.Conv2d, nn.BatchNorm2d] else 0
            if n:
                groups.append([name for name, _ in children[i:i + n]])
            i += max(n, 1)
        if groups:
            tq.fuse_modules_qat(module, groups, inplace=True)
    return net


def steps(name, batch):
    """{variant: function that does one training step}"""
    import torch
    from torch.ao import quantization as tq

    torch.manual_seed(1)
    original = networks()[name]().train()
    x, y = torch.randn(batch, *SHAPES[name]), torch.randint(0, 10, (batch,))
    made = {}
    for variant in ("float", "float channels last", "QAT x86", "QAT onednn"):
        net, images = copy.deepcopy(original), x
        if variant == "float channels last":
            net, images = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        if variant.startswith("QAT"):
            engine = variant.split()[1]
            torch.backends.quantized.engine = engine
            fuse_for_training(net).qconfig = tq.get_default_qat_qconfig(engine)
            tq.prepare_qat(net, inplace=True)
        sgd, loss = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9), torch.nn.CrossEntropyLoss()

        def step(net=net, sgd=sgd, loss=loss, images=images):
            sgd.zero_grad(set_to_none=True)
            loss(net(images), y).backward()
            sgd.step()
        made[variant] = step
    return made


def race(calls, rounds, seconds):
    """Smallest of the rounds' medians in milliseconds, the variants taking turns."""
    medians = {k: [] for k in calls}
    for _ in range(rounds):
        for k, call in calls.items():
            call()
            times, begin = [], time.perf_counter()
            while len(times) < 3 or time.perf_counter() - begin < seconds:
                start = time.perf_counter()
                call()
                times.append((time.perf_counter() - start) * 1e3)
            medians[k].append(statistics.median(times))
    return {k: min(v) for k, v in medians.items()}


def worker(args):
    import torch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(int(args.threads))
    for name in SHAPES:
        ms = race(steps(name, args.batch), args.rounds, args.seconds)
        print(json.dumps({"net": name, "batch": args.batch, "threads": int(args.threads), "torch": torch.__version__, "ms": ms}),
              flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", default="1,2")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=0.4)
    p.add_argument("--out")
    p.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.worker:
        return worker(args)
    rows = []
    for threads in args.threads.split(","):
        env = dict(os.environ, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
        command = [sys.executable, __file__, "--worker", "--threads", threads, "--batch", str(args.batch), "--rounds",
                   str(args.rounds), "--seconds", str(args.seconds)]
        run = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
        rows += [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    if args.out:
        with open(args.out, "w") as file:
            json.dump(rows, file, indent=1)
    names = list(rows[0]["ms"])
    print("| net | batch | threads | " + " | ".join(names) + " |\n|---|---:|---:|" + "---:|" * len(names))
    for r in rows:
        print(f"| {r['net']} | {r['batch']} | {r['threads']} | " + " | ".join(f"{v:.2f}" for v in r["ms"].values()) + " |")


if __name__ == "__main__":
    main()
