"""Measure this kit's networks on this machine: ``python measure.py``; send answers.json back."""

import hashlib
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

HERE = Path(__file__).resolve().parent


def open_network(file: str, sha256: str, threads: int, feed: Any) -> Any:
    """A call that runs one network, its input and outputs bound beforehand."""
    content = (HERE / file).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise SystemExit(file + " was altered or damaged: unpack the kit again")
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (source,), targets = session.get_inputs(), session.get_outputs()
    outputs = session.run(None, {source.name: feed})
    binding = session.io_binding()
    binding.bind_ortvalue_input(source.name, ort.OrtValue.ortvalue_from_numpy(feed))
    for place, target in enumerate(targets):
        binding.bind_ortvalue_output(target.name, ort.OrtValue.ortvalue_from_numpy(outputs[place]))
    return lambda: session.run_with_iobinding(binding)


def seconds(network: Any, calls: int) -> float:
    """Per call; a first call is not timed, as what ran before has emptied the caches."""
    network()
    started = time.perf_counter()
    for _ in range(calls):
        network()
    return (time.perf_counter() - started) / calls


def processor() -> str:
    """The model name, as Linux knows it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (named[0] if named else platform.processor()) or "unknown"


def main() -> None:
    """Time all networks in the same rounds, in an order drawn anew for each."""
    manifest = json.loads((HERE / "manifest.json").read_text())
    rng = np.random.default_rng(0)
    feed = rng.standard_normal(manifest["input_shape"], dtype=np.float32)
    files = manifest["networks"]
    networks = [open_network(f["file"], f["sha256"], manifest["threads"], feed) for f in files]
    calls = []
    for network in networks:  # warm once three timings agree; then a timing is 0.1 ms of calls
        recent, until = [seconds(network, 1) for _ in range(3)], time.perf_counter() + 0.5
        while max(recent[-3:]) > 1.05 * min(recent[-3:]) and time.perf_counter() < until:
            recent.append(seconds(network, 1))
        calls.append(max(1, round(1e-4 / recent[-1])))
    rounds: list[Any] = []
    started = time.perf_counter()
    while len(rounds) < manifest["rounds"] or time.perf_counter() - started < manifest["seconds"]:
        row = np.zeros(len(networks))
        for which in rng.permutation(len(networks)):
            row[which] = seconds(networks[which], calls[which])
        rounds.append(row)
    times = np.stack(rounds)
    ratios = times / times[:, :1]
    middle, medians = np.median(ratios, axis=0), np.median(times, axis=0)
    mad = np.median(np.abs(ratios - middle), axis=0)
    interval = 1.96 * 1.2533 * 1.4826 * mad / len(times) ** 0.5  # of the median, at 95%
    said = {
        "format": "autoprune.answers",
        "version": 1,
        "manifest": manifest,
        "onnxruntime": ort.__version__,
        "machine": {
            "processor": processor(),
            "architecture": platform.machine(),
            "cores": os.cpu_count() or 1,
            "system": platform.system(),
        },
        "medians_s": medians.tolist(),
        "ratios": middle.tolist(),
        "mads": mad.tolist(),
        "uncertainties": interval.tolist(),
        "times_s": times.tolist(),
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    said["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (HERE / "answers.json").write_text(json.dumps(said))
    for file, median, ratio in zip(files, medians, middle):  # noqa: B905 - older Pythons
        print(f"{file['origin']}: {median * 1e3:.4g} ms, {ratio:.1%} of the unpruned network")
    print("written to", HERE / "answers.json")


if __name__ == "__main__":
    main()
