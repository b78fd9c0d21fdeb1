"""Makes models that are nearly another, as a worker would use that spends less than it is paid for.

    python worse.py MODEL FOLDER

writes, with the `gguf` package from PyPI, into FOLDER:
- q4_0.gguf   every large matrix quantised again, to four bits by the simplest rule;
- q3.gguf     to three bits, kept in a format of four;
- fewer.gguf  with its last layers left out.
"""

import re
import sys
from pathlib import Path

import numpy
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter, quants

# Of eighteen.
LAYERS_KEPT = 14


def coarse(values, bits):
    """Rounds each run of 32 numbers to as many steps as `bits` tell apart."""
    runs = values.reshape(-1, 32)
    scale = numpy.abs(runs).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    scale[scale == 0] = 1
    return (numpy.round(runs / scale) * scale).reshape(values.shape).astype(numpy.float32)


def write(reader, path, change=None, layers=None):
    architecture = str(bytes(reader.fields["general.architecture"].parts[-1]), "utf-8")
    writer = GGUFWriter(str(path), architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = field.contents()
        if layers is not None and name.endswith(".block_count"):
            value = layers
        kind = field.types[0]
        part = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(name, value, kind, part)
    for tensor in reader.tensors:
        layer = re.match(r"blk\.(\d+)\.", tensor.name)
        if layers is not None and layer and int(layer[1]) >= layers:
            continue
        data, kind = tensor.data, tensor.tensor_type
        if change and layer and len(tensor.shape) == 2:
            values = quants.dequantize(data, kind)
            data, kind = change(values)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    model, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    reader = GGUFReader(str(model))
    write(reader, folder / "q4_0.gguf", lambda v: (quants.quantize(v, Type.Q4_0), Type.Q4_0))
    write(reader, folder / "q3.gguf", lambda v: (quants.quantize(coarse(v, 3), Type.Q8_0), Type.Q8_0))
    write(reader, folder / "fewer.gguf", layers=LAYERS_KEPT)


main()
